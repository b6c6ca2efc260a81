"""A person with a mouse at a page, who counts what a task costs: clicks, and fields typed into."""

from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 15_000
# For `Served.shell`: after it, every sign-in is too long ago for sensitive actions.
FORGET_SIGN_IN = """
import json
from django.contrib.sessions.models import Session
for session in Session.objects.all():
    data = session.get_decoded()
    for step in data.get("account_authentication_methods", []):
        step["at"] -= 3600
    session.session_data = Session.objects.encode(data)
    session.save()
print(json.dumps(None))
"""


@dataclass
class Person:
    """A person who does a task. Every click and every field goes through here, so that none is forgotten.

    `password` answers re-authentication: its field and its button are counted like any others.
    """

    page: Page
    password: str = ""
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)

    @property
    def clicks(self) -> int:
        """Number of clicks so far."""
        return sum(step.startswith("click ") for step in self.steps)

    @property
    def typed(self) -> int:
        """Number of fields typed into so far."""
        return sum(step.startswith("type ") for step in self.steps)

    @property
    def story(self) -> str:
        """What was done, for the message of an assertion: `assert person.clicks <= 6, person.story`."""
        done = "\n".join(f"{number}. {step}" for number, step in enumerate(self.steps, start=1))
        return f"{self.clicks} clicks, {self.typed} fields typed into:\n{done}"

    def click(self, what: str | Locator, *, within: str = "body") -> None:
        """Click a link, button, summary or other control: the first visible one of this exact name, or a locator.

        Then give the password if the console asks for it.
        """
        self._click(what if isinstance(what, Locator) else self._control(what, within))
        self.page.wait_for_load_state()
        if self.password and "/accounts/reauthenticate/" in self.page.url:
            self.type("Password", self.password)
            self._click(self._control("Continue", "main"))
            self.page.wait_for_load_state()

    def type(self, label: str, text: str) -> None:
        """Type into the field with this label."""
        self.steps.append(f"type into {label}")
        self.page.get_by_label(label, exact=True).first.fill(text)

    def sees(self, text: str, *, within: str = "main") -> None:
        """Wait until the page says so without a further click."""
        expect(self.page.locator(within).first).to_contain_text(text, timeout=PATIENCE_MS)

    def _control(self, name: str, within: str) -> Locator:
        place = self.page.locator(within)
        found = place.get_by_role("link", name=name, exact=True)
        for role in ("button", "radio", "checkbox", "menuitem"):
            found = found.or_(place.get_by_role(role, name=name, exact=True))
        return found.or_(place.locator("summary").get_by_text(name, exact=True)).locator("visible=true").first

    def _click(self, control: Locator) -> None:
        name = " ".join((control.get_attribute("aria-label") or control.inner_text() or "").split())
        self.steps.append(f"click {name or control}")
        control.click()
