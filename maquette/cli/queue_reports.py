"""What the commands say of the queue and of dead letters."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from maquette.cli.panels import count, print_table, status_text
from maquette.orders.documents import DeadLetter, QueueDocument


def print_queue(shown: QueueDocument, console: Console) -> None:
    """Counts, what is wrong, and the jobs that moved last."""
    counts = shown.counts
    oldest = f" (the oldest for {shown.backlogSeconds} s)" if counts.queued else ""
    console.print(
        f"{counts.queued} queued{oldest}, {counts.processing} sent, {counts.running} running; "
        f"{counts.completed_24h} completed within a day",
        soft_wrap=True,
    )
    if shown.stuck.runningStuckCount:
        stuck = count(shown.stuck.runningStuckCount, "running job")
        console.print(Text(f"{stuck} without a living run: the reconciler takes them back", style="yellow"))
    for breaker in shown.breakers:
        until = f" until {breaker.open_until.astimezone():%H:%M:%S}" if breaker.open_until else ""
        line = f"{breaker.provider} is left alone{until} after {count(breaker.failures, 'failure')}: {breaker.reason}"
        console.print(Text(line, style="bold red"), soft_wrap=True)
    if shown.recent:
        console.print()
        print_table(
            ("job", "kind", "status", "attempts", "moved", "last error"),
            (
                (
                    str(job.id),
                    job.type,
                    status_text(job.status),
                    job.retry,
                    f"{job.updated_at.astimezone():%m-%d %H:%M:%S}",
                    job.error or "",
                )
                for job in shown.recent
            ),
            console,
            right=("attempts",),
        )


def print_dead_letters(letters: Sequence[DeadLetter], console: Console) -> None:
    """A line for each job, with its order, which is what is retried."""
    print_table(
        ("order", "kind", "items", "ended", "topic", "reason"),
        (
            (
                str(letter.job.order_id),
                letter.job.kind,
                str(len(letter.items)),
                f"{letter.job.finished_at.astimezone():%Y-%m-%d %H:%M}" if letter.job.finished_at else "",
                letter.campaign_name,
                letter.items[0].reason or letter.job.error or "",
            )
            for letter in letters
        ),
        console,
        right=("items",),
    )
