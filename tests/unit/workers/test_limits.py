"""Before T0: what this machine cannot open is said in a sentence, not met as a crash."""

import dataclasses

import pytest
from burstline.core.load.plan import Bursts, Ceilings, Connections, Constant, Phase, Plan, Request, Target, Users, Warm
from burstline.workers.errors import CannotPrepare
from burstline.workers.sending.limits import RESERVED_FILES, check_limits


def plan(shape: Users | Bursts | Constant, **changes: object) -> Plan:
    made = Plan("p", Target("http://localhost"), (Request("r"),), (Phase("sale", 10.0, shape),))
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_users_beyond_the_file_limit_are_refused_with_the_limit_that_would_do() -> None:
    with pytest.raises(CannotPrepare, match=rf"1,000 connections.*ulimit -n {1000 + RESERVED_FILES}"):
        check_limits(plan(Users(2000, 0.0)), 2, 0.1, 1000, 28_000)
    check_limits(plan(Users(2000, 0.0)), 2, 0.1, 1000 + RESERVED_FILES, 28_000)


def test_bursts_beyond_the_local_ports_are_refused_and_more_machines_are_named() -> None:
    with pytest.raises(CannotPrepare, match=r"30,000 connections.*28,000 local ports.*more machines"):
        check_limits(plan(Bursts(30_000, 5.0, 0.05)), 1, 0.1, 1 << 20, 28_000)


def test_bursts_that_are_answered_while_they_last_need_not_all_be_open() -> None:
    check_limits(plan(Bursts(30_000, 5.0, 2.0)), 1, 0.1, 1024, 28_000)


def test_a_ceiling_of_requests_in_flight_bounds_the_need() -> None:
    check_limits(plan(Bursts(30_000, 5.0, 0.05), ceilings=Ceilings(in_flight=500)), 1, 0.1, 1024, 28_000)


def test_warm_connections_beyond_the_limit_are_refused() -> None:
    with pytest.raises(CannotPrepare, match=r"connections\.warm"):
        check_limits(plan(Constant(1.0), connections=Connections(warm_count=5000)), 1, 0.1, 1024, 28_000)


def test_a_cold_burst_over_tls_is_refused_with_both_ways_out() -> None:
    cold = plan(Bursts(800, 5.0, 0.05), connections=Connections(warm=Warm.NONE))
    check_limits(cold, 1, 0.1, 20_000, 28_000)  # plain HTTP has no handshakes
    secure = dataclasses.replace(cold, target=Target("https://api.example.com"))
    with pytest.raises(CannotPrepare, match=r"480 ms of CPU.*warm: auto.*20 workers"):
        check_limits(secure, 1, 0.1, 20_000, 28_000)
    check_limits(secure, 20, 0.1, 20_000, 28_000)
