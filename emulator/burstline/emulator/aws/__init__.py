"""The emulator's AWS API side: what an advisor asks AWS, answered from what the emulator is and did."""
