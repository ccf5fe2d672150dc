"""The report of an evaluation as one HTML page: a plot and a table for each question."""

from collections.abc import Iterator, Sequence
from html import escape

from commands import html
from commands.evaluate_report import HEAD, TITLES, against, earned_of, figures_of, notes_of, rows_of
from recommender.tournament import Outcome, Verdict


def page_of(outcome: Outcome, *, title: str, read: Sequence[str]) -> str:
    """The page; `read` says what of which columns was read."""
    parts = [html.head(f"Suggestions from {title}", "; ".join(read)), f"<p>Judged on {escape(outcome.how)}.</p>"]
    for task, verdict in outcome.verdicts.items():
        parts.append(f"<h2>{TITLES[task]}</h2><p>{verdict.people:,} people, {verdict.answers:,} right answers. ")
        parts.append("NDCG@10 with its 95&nbsp;% interval; the line is what is served.</p>")
        parts.append(_plot(verdict))
        parts.append(html.table(HEAD, [[label, *figures_of(score)] for label, score in rows_of(verdict)]))
        parts += [f"<p>{escape(line)}</p>" for line in (f"Served: {earned_of(task, outcome)}", *against(verdict))]
    notes = "".join(f"<li>{escape(note)}</li>" for note in notes_of(outcome))
    return "".join([*parts, f"<h2>Why</h2><ul>{notes}</ul></html>"])


def _plot(verdict: Verdict) -> str:
    rows = rows_of(verdict)
    most = max(score.ndcg_at_10.high for _, score in rows) or 1.0

    def drawn() -> Iterator[str]:
        served = html.at(verdict.served.ndcg_at_10.mean / most)
        for row, (label, score) in enumerate(rows):
            figure = score.ndcg_at_10
            low, high, middle = (html.at(value / most) for value in (figure.low, figure.high, figure.mean))
            colour = html.RED if label == "served" else html.BLUE
            yield html.label(label, x=0, row=row) + html.upright(served, row=row)
            yield html.interval(low, high, middle=middle, row=row, colour=colour)
            yield html.label(f"{figure.mean:.3f}", x=html.at(1) + 10, row=row)

    return html.svg(drawn(), rows=len(rows))
