"""Events: their words."""

from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId


def test_every_word_is_plain_english_and_stands_once():
    words = [what.value for what in What]
    assert len(set(words)) == len(words)
    assert all(word == word.lower() and word.replace(" ", "").isalpha() for word in words)


def test_an_event_without_detail_shares_none():
    one, other = Event(What.JOB_DONE, JobId(1000)), Event(What.JOB_DONE, JobId(1000))
    assert one == other
    assert one.detail is not other.detail
