"""Who asks, and what each role may do."""

from enum import IntEnum

from msgspec import Struct

from jobdeck.domain.errors import Forbidden


class Role(IntEnum):
    """A role includes those below it."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class Actor(Struct, frozen=True):
    """A person, token, schedule or program that asks for something."""

    name: str
    role: Role
    kind: str = "user"

    def require(self, role: Role, deed: str) -> None:
        """Pass only who has at least `role`.

        Raises:
            Forbidden: this actor has less.
        """
        if self.role < role:
            raise Forbidden(
                f"{self.name} is {self.role.name.lower()} and may not {deed}; "
                f"that takes the role {role.name.lower()}."
            )


SYSTEM = Actor("jobdeck", Role.ADMIN, "system")
