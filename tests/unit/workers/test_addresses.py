"""Only allowed hosts are sent to, and some addresses never."""

import pytest
from burstline.core.load.hosts import HostKind, host_kind, is_loopback, is_never_allowed
from burstline.workers.sending.addresses import ForbiddenAddress, Gate, gate_for

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
]


@pytest.mark.parametrize("address", NEVER)
def test_link_local_and_metadata_addresses_are_never_allowed_however_spelled(address: str) -> None:
    assert is_never_allowed(address)
    assert host_kind(address) is HostKind.NEVER, "at plan time, too"
    with pytest.raises(ForbiddenAddress, match="never allowed"):
        gate_for(address, ["*", address])
    with pytest.raises(ForbiddenAddress, match="never allowed"):
        Gate(named=True).check(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "93.184.216.34", "::1", "2600:1f18::1", "100.100.100.201"]
)
def test_other_addresses_pass_a_host_that_is_named(address: str) -> None:
    assert not is_never_allowed(address)
    Gate(named=True).check(address)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_needs_no_allowing_but_must_stay_loopback_after_dns(host: str) -> None:
    assert is_loopback(host)
    gate = gate_for(host, [])
    gate.check("127.0.0.1")
    with pytest.raises(ForbiddenAddress, match="not this machine"):
        gate.check("10.0.0.1")


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com", "a.example.org"])
def test_a_host_that_is_not_listed_is_refused_with_the_flag_to_add(host: str) -> None:
    with pytest.raises(ForbiddenAddress, match=f"--allow {host}"):
        gate_for(host, ["example.org"])


@pytest.mark.parametrize("allowed", [["example.com"], ["EXAMPLE.com."], ["*"]])
def test_a_listed_host_passes_in_any_case_and_star_passes_all(allowed: list[str]) -> None:
    assert gate_for("Example.COM", allowed).named
