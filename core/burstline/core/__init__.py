"""The pure heart: load/ makes and measures traffic, quota/ knows what AWS does to it. No I/O, no clock."""
