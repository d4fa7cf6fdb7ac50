from hypothesis import example, given
from hypothesis import strategies as st

from route_sql.serving.client.replies import StopCutter, cut_at_stop

STOPS = st.lists(st.text(alphabet="ab;", min_size=1, max_size=4), max_size=4)
PIECES = st.lists(st.text(alphabet="ab;", max_size=5), max_size=8)


@given(PIECES, STOPS)
@example([";a", "a"], ["a", ";aa"])
@example([";a", "b"], ["a", ";aa"])
@example([";a"], ["a", ";aa"])
def test_a_stream_is_cut_where_the_whole_text_would_be(pieces: list[str], stops: list[str]) -> None:
    cutter = StopCutter(stops)
    shown = [cutter.feed(piece) for piece in pieces] + [cutter.rest()]
    assert cut_at_stop("".join(pieces), stops) == "".join(shown)
