"""Prompts to try with a connected assistant: shown on the console's pages, and served as MCP prompts.

A prompt adds no permissions: it is a text that a user may send to their own assistant, and every tool that it names is
called with the user's own token.

Source: MCP 2025-11-25 and 2026-07-28, server/prompts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mcpbridge.tools import READ_TOOLS

LONGEST_VALUE = 500


@dataclass(frozen=True, slots=True)
class PromptArgument:
    """A value that the user fills in; `label` is its name in the text."""

    name: str
    label: str
    description: str
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt. `ask` is the user's wording, `text` the instructions for the assistant."""

    name: str
    title: str
    description: str
    ask: str
    text: str
    tools: tuple[str, ...]
    arguments: tuple[PromptArgument, ...] = ()

    @property
    def only_reads(self) -> bool:
        """Return whether a read-only token is enough."""
        return all(tool in READ_TOOLS for tool in self.tools)

    def faults(self, values: Mapping[str, str]) -> list[str]:
        """Return what is wrong with `values`, in sentences that repeat none of them; empty if they are valid."""
        names = {argument.name for argument in self.arguments}
        missing = [a.name for a in self.arguments if a.is_required and not values.get(a.name, "").strip()]
        found = [f"The argument {name} is required." for name in missing]
        if values.keys() - names:
            known = ", ".join(sorted(names)) or "none"
            found.append(f"Unknown argument. Available: {known}.")
        if any(len(value) > LONGEST_VALUE for value in values.values()):
            found.append(f"An argument is longer than {LONGEST_VALUE} characters.")
        return found

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text followed by `values`, in which `faults` found nothing, one per line."""
        lines = [
            f"{argument.label}: {' '.join(values[argument.name].split())}"
            for argument in self.arguments
            if values.get(argument.name, "").strip()
        ]
        return "\n".join([self.text, *([""] if lines else []), *lines])


_CLIENT = PromptArgument("client", "Client", "The client's name, or part of it.")
_PROJECT = PromptArgument("project", "Project", "The project's name, or part of it.")

_PROMPTS = (
    Prompt(
        name="who_am_i",
        title="Who am I in Hoursmith?",
        description="Says whose token is in use: workspace, role, plan and what it may do.",
        ask="Who am I in Hoursmith, and what may you do there for me?",
        text=(
            "Call get_me and get_organization. Tell me in a few lines which workspace this is, my role, the plan, "
            "and in plain words what you can and cannot do for me there."
        ),
        tools=("get_me", "get_organization"),
    ),
    Prompt(
        name="my_week",
        title="What did I do this week?",
        description="Sums up a week's time by day and project, and says where something seems to be missing.",
        ask="What did I work on this week, and is a day missing?",
        text=(
            "Sum up my time of one week, Monday to Sunday; the current one unless I name another below. Call "
            "get_me first. If my role sees everyone's time, find my userId with list_members and ask me if you are "
            "not sure which one I am. Read every page of list_time_entries for those dates. Give me a table by day "
            "and project with hours, then the total and how much of it is billable. Name working days without an "
            "entry, and mention a timer that is still running (get_running_timer)."
        ),
        tools=("get_me", "list_members", "list_time_entries", "list_projects", "get_running_timer"),
        arguments=(PromptArgument("week", "Week", "Any date in the week, as YYYY-MM-DD."),),
    ),
    Prompt(
        name="log_time",
        title="Log time",
        description="Records time on a project, after showing what will be recorded.",
        ask="Log 1h30m on the Winter catalogue for yesterday: cover sketches.",
        text=(
            "Record the time that I describe below. Find the project with list_projects, and the task with "
            "list_tasks if I name one. If several fit, ask me. The day is today unless I say otherwise. Show me "
            "project, task, day, duration and note in one line and wait for my yes; then call create_time_entry "
            "once, and tell me what was recorded."
        ),
        tools=("list_projects", "list_tasks", "create_time_entry"),
        arguments=(
            PromptArgument("what", "What I did", "What was done, in your own words.", is_required=True),
            PromptArgument("duration", "Duration", "How long: 1h30m, 1:30, 90m or 1.5h.", is_required=True),
            _PROJECT,
            PromptArgument("day", "Day", "The day of the work: YYYY-MM-DD, today, yesterday."),
        ),
    ),
    Prompt(
        name="open_tasks",
        title="What is next?",
        description="Lists open tasks by due date and priority.",
        ask="Which of my tasks are open, and what is due first?",
        text=(
            "List the tasks that are not done, with project, priority and due date, what is overdue first. Read "
            "every page of list_tasks, once for TODO and once for IN_PROGRESS. If my role sees everyone's tasks, "
            "show those that are assigned to me, and ask which member I am if you cannot tell. End with the three "
            "that you would do first, and why."
        ),
        tools=("get_me", "list_members", "list_projects", "list_tasks"),
        arguments=(_PROJECT,),
    ),
    Prompt(
        name="project_status",
        title="How is a project doing?",
        description="Compares the hours of a project with its budget and its due date.",
        ask="How is the Winter catalogue doing against its budget?",
        text=(
            "Tell me how the project below is doing. Find it with list_projects; if several fit, ask me. Read every "
            "page of its time entries and its open tasks. Give hours so far, by month, against the budget where "
            "there is one, open tasks with due dates, and one sentence on whether it will be in time. Amounts of "
            "money are not shown to every role: leave them out where they are missing."
        ),
        tools=("list_projects", "get_project", "list_time_entries", "list_tasks"),
        arguments=(PromptArgument("project", "Project", "The project's name, or part of it.", is_required=True),),
    ),
    Prompt(
        name="unpaid_invoices",
        title="Unpaid invoices",
        description="Lists what is still owed, what is overdue first. Owners, Admins and Managers only.",
        ask="Which invoices are still unpaid, and which are overdue?",
        text=(
            "List the invoices that were sent and are not fully paid: read every page of list_invoices for "
            "paymentStatus unpaid and partially_paid, and leave drafts and cancelled ones out. Give number, client, "
            "due date, total, paid so far and what is open, overdue ones first with the days they are late, and a "
            "sum for each currency. Amounts are decimal strings: add them exactly."
        ),
        tools=("list_invoices", "list_clients"),
        arguments=(_CLIENT,),
    ),
    Prompt(
        name="new_client",
        title="Create a client",
        description="Adds a client, after looking whether there is one of that name already.",
        ask="Create a client “Umbra Studio”, office@umbra.example, invoices in EUR.",
        text=(
            "Create the client that I describe below. First look with list_clients whether there is one of that or "
            "a similar name, and ask me if so. Show me the fields that you will set and wait for my yes; then call "
            "create_client once. Leave empty what I did not say."
        ),
        tools=("list_clients", "create_client"),
        arguments=(
            PromptArgument("name", "Name", "The client's name.", is_required=True),
            PromptArgument("email", "E-mail", "Where to write to."),
            PromptArgument("details", "More", "Anything else: contact, currency, address, rate."),
        ),
    ),
    Prompt(
        name="add_expense",
        title="Add an expense",
        description="Records an expense for a client, after showing what will be recorded.",
        ask="Add 48.90 for paper samples to Umbra Studio, bought on Thursday.",
        text=(
            "Record the expense that I describe below. Find the client with list_clients, and the project with "
            "list_projects if I name one; ask me if several fit. The day is today unless I say otherwise. Show me "
            "client, amount, category, day and description in one line and wait for my yes; then call "
            "create_expense once."
        ),
        tools=("list_clients", "list_projects", "create_expense"),
        arguments=(
            PromptArgument("description", "What for", "What was bought.", is_required=True),
            PromptArgument("amount", "Amount", "How much, as 48.90.", is_required=True),
            PromptArgument("client", "Client", "The client's name, or part of it.", is_required=True),
            PromptArgument("day", "Day", "The day of the expense: YYYY-MM-DD, today, yesterday."),
        ),
    ),
)

PROMPTS: Mapping[str, Prompt] = MappingProxyType({prompt.name: prompt for prompt in _PROMPTS})


def prompts_for(*, read_only: bool) -> tuple[Prompt, ...]:
    """The prompts that make sense for this access, in the order they are shown."""
    return tuple(prompt for prompt in _PROMPTS if prompt.only_reads or not read_only)
