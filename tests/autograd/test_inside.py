"""What stands around backward: hooks after a gradient was added up, and profiles."""

from __future__ import annotations

import json

import pytest

import frazil as fz
from frazil.profiler import ProfilerAction, profile, record_function, schedule


def test_a_hook_after_accumulation_sees_the_whole_gradient_and_may_step():
    w = fz.ones(2, requires_grad=True)
    optimizer = fz.optim.SGD([w], lr=0.1)
    seen = []

    def step(leaf):
        assert leaf is w
        seen.append(leaf.grad.tolist())
        optimizer.step()
        optimizer.zero_grad()

    handle = w.register_post_accumulate_grad_hook(step)
    (w * w + w).sum().backward()
    assert seen == [[3, 3]] and w.grad is None and w.tolist() == pytest.approx([0.7, 0.7])
    handle.remove()
    (w * w).sum().backward()
    assert len(seen) == 1 and w.grad is not None
    for wrong in (w * 2, fz.ones(1)):
        with pytest.raises(RuntimeError, match="leaf"):
            wrong.register_post_accumulate_grad_hook(step)


def test_a_profile_counts_operations_and_ranges_and_leaves_nothing_behind():
    before = dict(fz.device("cpu").kernels)
    with profile() as prof:
        with record_function("forward"):
            for _ in range(3):
                fz.ones(4) * 2
        fz.ones(4).exp()
    found = {a.key: a for a in prof.key_averages()}
    assert found["mul"].count == 3 and found["exp"].count == 1 and found["forward"].count == 1
    forward = found["forward"]
    assert forward.cpu_time_total >= found["mul"].cpu_time_total
    assert forward.self_cpu_time_total <= forward.cpu_time_total - found["mul"].cpu_time_total + 1
    assert "forward" in prof.key_averages().table(sort_by="cpu_time_total", row_limit=5)
    with pytest.raises(RuntimeError, match="sort_by"):
        prof.key_averages().table(sort_by="beauty")
    after = fz.device("cpu").kernels
    assert all(after[name] is kernel for name, kernel in before.items() if name in ("mul", "exp", "add"))
    fz.ones(4) * 2
    assert {a.key: a.count for a in prof.key_averages()}["mul"] == 3


def test_a_schedule_records_some_steps_in_turns(tmp_path):
    plan = schedule(skip_first=1, wait=1, warmup=0, active=2, repeat=1)
    none, record, save = ProfilerAction.NONE, ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE
    assert [plan(i) for i in range(6)] == [none, none, record, save, none, none]
    traces = []
    with profile(schedule=plan, on_trace_ready=lambda prof: traces.append(prof.events())) as prof:
        for _ in range(6):
            fz.ones(2) * 3
            prof.step()
    assert len(traces) == 1 and sum(event.name == "mul" for event in traces[0]) == 2
    prof.export_chrome_trace(tmp_path / "trace.json")
    written = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [event["name"] for event in written].count("mul") == 2
    with fz.autograd.profiler.profile(enabled=False) as off:
        fz.ones(2) * 3
    assert not off.events()
