"""The arithmetic of buckets and leases: what is leased and what is left is never more than the cloud has."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.call_budget import CallLimit, LeaseUse, fill, full_bucket, grant, schedule, settle

LIMIT = CallLimit(50, 5.0)


@dataclass
class Model:
    """A cloud's bucket beside what is believed of it, and the calls that instances may send."""

    at: float = 0.0
    real: float = LIMIT.calls
    held: dict[str, tuple[int, float]] = field(default_factory=dict)

    def wait(self, seconds: float) -> None:
        self.real = min(LIMIT.calls, self.real + seconds * LIMIT.refill)
        self.at += seconds
        self.held = {name: each for name, each in self.held.items() if self.at < each[1]}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["lease", "send", "wait", "die"]),
        st.sampled_from("abcd"),
        st.floats(0, 100, allow_nan=False),
    ),
    max_size=60,
)


@given(STEPS)
def test_what_is_leased_can_always_be_sent(steps: list[tuple[str, str, float]]) -> None:
    bucket, model = full_bucket(LIMIT, 0.0), Model()
    for action, name, amount in steps:
        calls, ends = model.held.get(name, (0, 0.0))
        if action == "wait":
            model.wait(amount)
        elif action == "die":
            model.held.pop(name, None)
        elif action == "send":
            count = min(calls, int(amount))
            model.real -= count
            model.held[name] = (calls - count, ends)
        else:
            bucket = settle(fill(bucket, LIMIT, model.at), LIMIT, name, LeaseUse(unused=calls))
            model.held.pop(name, None)
            if bucket.level >= 1:
                bucket = grant(bucket, LIMIT, name, int(bucket.level))
                model.held[name] = (bucket.leases[name].calls, bucket.leases[name].ends)
        unsent = sum(each[0] for each in model.held.values())
        assert model.real - unsent > -1e-6
        assert fill(bucket, LIMIT, model.at).level + unsent <= model.real + 1e-6


def test_calls_of_a_lease_are_due_as_the_bucket_fills() -> None:
    before = full_bucket(LIMIT, 100.0).model_copy(update={"level": 2.0})
    plan = schedule(before, "a", grant(before, LIMIT, "a", 5))
    waits = []
    for _ in range(5):
        waits.append(round(plan.wait(100.0), 2))
        plan = plan.take()
    assert waits == [0.0, 0.0, 0.2, 0.4, 0.6]


def test_a_schedule_is_only_ever_put_off() -> None:
    before = full_bucket(LIMIT, 100.0)
    plan = schedule(before, "a", grant(before, LIMIT, "a", 8))
    assert plan.lower(50, 100.0) == plan
    assert round(plan.lower(0, 100.0).wait(100.0), 2) == 0.2
    assert round(plan.lower(0, 100.0).lower(40, 100.0).wait(100.0), 2) == 0.2


@given(st.floats(0, 1e4), st.floats(-500, 50), st.integers(0, 10**12), st.floats(-1e3, 1e3), st.booleans())
def test_whatever_is_told_the_bucket_stays_one(at: float, level: float, told: int, age: float, refused: bool) -> None:  # noqa: FBT001 - hypothesis
    bucket = full_bucket(LIMIT, 0.0).model_copy(update={"level": level})
    use = LeaseUse(unused=10**6, remaining=told, at=at - age, spent=0, refused=refused)
    after = settle(fill(bucket, LIMIT, at), LIMIT, "a", use)
    assert after.level <= LIMIT.calls
    assert 0 < after.refill <= LIMIT.refill
