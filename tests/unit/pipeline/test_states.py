from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.states import DOCUMENT_MOVES, FINAL, JOB_MOVES, DocumentStatus, JobStatus, sources


class DocumentWalk(RuleBasedStateMachine):
    """Any walk along the moves: a document can always still end, and leaves a final state only to start again."""

    def __init__(self) -> None:
        super().__init__()
        self.status = DocumentStatus.PENDING

    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(sorted(DOCUMENT_MOVES[self.status])))
        assert self.status in sources(target)
        self.status = target

    @precondition(lambda self: self.status in FINAL)
    @rule()
    def only_a_new_start_leaves_the_end(self) -> None:
        assert DOCUMENT_MOVES[self.status].isdisjoint(FINAL)

    @invariant()
    def an_end_can_be_reached(self) -> None:
        reachable = {self.status}
        while grown := {target for status in reachable for target in DOCUMENT_MOVES[status]} - reachable:
            reachable |= grown
        assert reachable >= FINAL


TestDocumentWalk = DocumentWalk.TestCase


def test_every_state_has_its_moves() -> None:
    assert set(DOCUMENT_MOVES) == set(DocumentStatus)
    assert set(JOB_MOVES) == set(JobStatus)


def test_a_job_that_ended_goes_on_only_from_the_start() -> None:
    assert JOB_MOVES[JobStatus.COMPLETED] == JOB_MOVES[JobStatus.FAILED] == {JobStatus.PENDING}
