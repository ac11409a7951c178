"""What may be asked for of the rules by which errors get hints."""

from jobdeck.actions.perform import Tx, action
from jobdeck.domain.errors import WrongState
from jobdeck.domain.hint_rules import RULES, check
from jobdeck.domain.names import check_text
from jobdeck.domain.records import HintRule
from jobdeck.domain.roles import Role
from jobdeck.store import hint_rules


@action("hint.add", Role.OPERATOR, "add hints")
def add(tx: Tx, pattern: str, hint: str, link: str = "") -> HintRule:
    """Give errors whose type and message the pattern occurs in a hint, from now on.

    Raises:
        InvalidValue: names the one that will not do.
        WrongState: there are too many already.
    """
    tx.target = "hint"
    tx.detail = {"pattern": pattern, "hint": hint, "link": link}
    for field, text in tx.detail.items():
        check_text(text, field)
    check(pattern, hint, link)
    if hint_rules.count(tx.conn) >= RULES:
        raise WrongState(f"There are {RULES} hints already; remove one that is no longer needed.")
    made = hint_rules.add(tx.conn, pattern, hint, link, tx.now)
    tx.target = f"hint {made}"
    tx.changed("hint", made, "added")
    return hint_rules.get(tx.conn, made)


@action("hint.remove", Role.OPERATOR, "remove hints")
def remove(tx: Tx, rule_id: int) -> None:
    """Take the rule away; errors that have its hint keep it.

    Raises:
        NotFound: there is none.
    """
    tx.target = f"hint {rule_id}"
    old = hint_rules.get(tx.conn, rule_id)
    tx.detail = {"pattern": old.pattern, "hint": old.hint}
    hint_rules.remove(tx.conn, rule_id)
    tx.changed("hint", rule_id, "removed")
