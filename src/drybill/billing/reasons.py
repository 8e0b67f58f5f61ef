"""The one vocabulary of reason codes: each with a sentence and what a person can do."""

from __future__ import annotations

from msgspec import Struct


class Meaning(Struct, frozen=True):
    says: str
    fix: str


REASONS: dict[str, Meaning] = {
    # differences
    "SEATS_ADDED": Meaning(
        "The vendor counts more units than the agreement bills.",
        "Apply the plan, or accept the difference with a reason.",
    ),
    "SEATS_REMOVED": Meaning(
        "The vendor counts fewer units than the agreement bills.",
        "Check with the client before lowering; apply the plan, or accept the difference.",
    ),
    "NO_LINE_YET": Meaning(
        "The client uses a mapped product that its agreement has no line for.",
        "Apply the plan with the `create` switch on, or add the line in the PSA.",
    ),
    "NOT_USED": Meaning(
        "The vendor says 0 units of a product that the agreement bills.",
        "Check with the client; lift the zero guard by name if the line shall really go to 0.",
    ),
    "IN_STEP": Meaning("Vendor and agreement say the same.", ""),
    "LOWER_BOUND": Meaning(
        "One of the sources lacks this product, so the number can only be higher: raising is "
        "allowed, lowering is not.",
        "Wait for a second complete answer of that source, or correct its customer id.",
    ),
    "PERIOD_ALREADY_INVOICED": Meaning(
        "The difference began in a period that has been invoiced; no quantity change recovers it.",
        "Bill or credit the leak by hand after talking to the client.",
    ),
    "LEAK_UNKNOWN": Meaning(
        "What the invoices before billed for this product cannot be told from its lines.",
        "Look at the lines named and at those invoices by hand.",
    ),
    # fixed, orphan, ignored
    "NO_MAPPED_PRODUCT": Meaning(
        "No vendor product is mapped to this line; it is billed as it stands.",
        "Add the product to the mapping, if a vendor counts it.",
    ),
    "CLIENT_NOT_MAPPED": Meaning(
        "The line's product is mapped, but its client is not in the mapping.",
        "Add the client with its vendor customer ids.",
    ),
    "NO_CUSTOMER_ID": Meaning(
        "The client has no customer id at any vendor of this product.",
        "Add the client's customer id at that vendor, or end the line in the PSA.",
    ),
    "COVERED": Meaning("The client's profile covers this product with a flat fee.", ""),
    "ACCEPTED": Meaning(
        "A person accepted this difference while both numbers stay as they are.", ""
    ),
    "EXCLUDED": Meaning("A rule of the mapping leaves these units out.", ""),
    "RULES_TO_ZERO": Meaning("The product's rules leave nothing to bill of this usage.", ""),
    # unknown
    "SOURCE_INCOMPLETE": Meaning(
        "The vendor's answer is not complete, so none of its numbers may lower anything.",
        "Repair the source and run again.",
    ),
    "SOURCE_NOT_ASKED": Meaning("This vendor was left out of the run.", "Run without --without."),
    "SOURCE_SHRUNK": Meaning(
        "The source answered with far fewer rows than the last time.",
        "Check the export; lift the guard by name if the fall is real.",
    ),
    "SOURCE_UNREACHABLE": Meaning("The vendor could not be asked.", "Run again later."),
    "CUSTOMER_DENIED": Meaning(
        "The vendor did not show this customer, or rows of it that cannot be placed.",
        "Look at what the source says of itself; renew the rights at the vendor if they are gone.",
    ),
    "CUSTOMER_NOT_LISTED": Meaning(
        "The vendor does not list this customer id.",
        "Check the id in the mapping: a typing mistake, or a customer that has left.",
    ),
    "ABSENT_ONCE": Meaning(
        "The vendor lists the customer, but not this product: gone, renamed or merely late.",
        "A second complete answer at least 20 hours later confirms it.",
    ),
    "ABSENT_CONFIRMED": Meaning(
        "Two complete answers at least 20 hours apart do not list this product: it counts as 0.",
        "Check with the client before lowering.",
    ),
    "QUANTITY_UNKNOWN": Meaning("The vendor gave no quantity.", "Ask the vendor."),
    "FUTURE_USAGE": Meaning(
        "The rows speak of a time after the run's --as-of and are not used.",
        "Run with a later --as-of, or correct the export.",
    ),
    "USAGE_PERIOD_MISMATCH": Meaning(
        "The rows belong to another period than the one that is billed.",
        "Export the usage of the billed period, or change the product's `usage` in the mapping.",
    ),
    "PSA_QUANTITY_UNKNOWN": Meaning("The PSA gave no quantity for this line.", "Fill it in."),
    "PSA_PRICE_UNKNOWN": Meaning("The PSA gave no unit price for this line.", "Fill it in."),
    # blocked
    "AMBIGUOUS_LINES": Meaning(
        "Several active lines bill this product and the mapping does not say which one moves.",
        "Name the flexible line under [[lines]].",
    ),
    "FLEXIBLE_NEGATIVE": Meaning(
        "The other lines of this product already bill more than the vendor counts.",
        "Correct the fixed lines in the PSA.",
    ),
    "WRONG_AGREEMENT": Meaning(
        "The product is billed on another agreement of this client than the mapping says.",
        "Move the line in the PSA, or correct the client's agreement in the mapping.",
    ),
    "PRODUCT_LOOKS_ALIKE": Meaning(
        "The client has a line whose product id differs in case, spaces or hidden characters only.",
        "Correct the product id in the PSA or in the mapping.",
    ),
    "LINE_STARTS_LATER": Meaning(
        "A line of this product exists, but starts after the projected period.",
        "Wait for it, or correct its date in the PSA.",
    ),
    "PRICE_UNKNOWN": Meaning(
        "A line would have to be created, and the mapping gives no price in this currency.",
        "Add a price in this currency to the product.",
    ),
    "KIND_AMBIGUOUS": Meaning(
        "The rows hold two kinds of quantity for one line.",
        "Add `kind` to the product's `from` entry.",
    ),
    "TERM_AMBIGUOUS": Meaning(
        "The rows hold two commitment terms, and the mapping names none.",
        'Add `term` to the product\'s `from` entry, or `term = "any"` to sum them.',
    ),
    "DUPLICATE_USAGE": Meaning(
        "Two rows say the same thing and nothing tells which one counts.",
        'Set the product\'s `duplicates` to "once", "sum" or "latest".',
    ),
    "SKU_IN_NO_ROW": Meaning(
        "No row of the vendor, of any customer, has the code that the mapping names.",
        "Check its spelling in the product's `from`; it may also be gone for everybody.",
    ),
    "USAGE_LOOKS_ALIKE": Meaning(
        "The vendor has more rows whose ids differ in case, spaces or hidden characters only.",
        "Correct the ids at the vendor or in the mapping, or map those rows too.",
    ),
    "CLAIMED_TWICE": Meaning(
        "Two products of the mapping claim the same vendor row.",
        "Keep one `from` entry and use `also_feeds` for the other product.",
    ),
    "INCLUDED_TWICE": Meaning(
        "Included units are taken off by the mapping and by the PSA's line.",
        "Remove one of the two.",
    ),
    "EXCEPTION_EXPIRED": Meaning(
        "An exception of the mapping has passed its last day.", "Renew it or remove it."
    ),
    "EXCEPTION_ENDS_SOON": Meaning(
        "An exception of the mapping ends within 30 days.", "Renew it in time."
    ),
    "NEGATIVE_QUANTITY": Meaning(
        "The exceptions take off more units than there are.", "Correct the exception."
    ),
    "CYCLE_MISMATCH": Meaning(
        "The agreement named for the client has another cycle than the role asks for.",
        "Correct the client's agreement or the role in the mapping.",
    ),
    "CURRENCY_MISMATCH": Meaning(
        "A child agreement has another currency than its parent's invoice.",
        "Correct the currency in the PSA.",
    ),
    "WITNESS_DIFFERS": Meaning(
        "The PSA's own figure for this invoice is another one than the projection, and it was the "
        "same in an earlier run.",
        "Compare the invoice's lines in the PSA; lift the guard `witness` once you know why.",
    ),
    "WITNESS_UNMOVED": Meaning(
        "The PSA's own figure for an invoice did not follow a write that was read back as done.",
        "Look at the invoice in the PSA: it may count from another day, or later.",
    ),
    "PSA_RIGHTS_MISSING": Meaning(
        "The PSA did not let these keys write.",
        "Give the role of the writing keys the right that is named, and apply a new plan.",
    ),
    "PSA_KEYS_REFUSED": Meaning(
        "The PSA does not take the keys that were to write.",
        "Check the writing keys, and apply a new plan.",
    ),
    "PSA_LINE_GONE": Meaning(
        "The PSA knows the line or its agreement no more, or does not show it to these keys.",
        "Look for it in the PSA, and run drybill diff again.",
    ),
    "PSA_BUSY": Meaning(
        "The PSA takes no more requests for now, and did nothing.",
        "Wait a few minutes: drybill runs resume RUN --apply.",
    ),
    "PSA_CONFLICT": Meaning(
        "The PSA holds something that contradicts this write.",
        "Compare the line in the PSA with the plan, and run drybill diff again.",
    ),
    "PSA_RULE": Meaning(
        "A rule of the PSA refuses this value; its own words say which.",
        "Correct in the PSA or in the mapping what they name, and apply a new plan.",
    ),
    "PAST_PERIODS_UNBILLED": Meaning(
        "Two or more invoices of this agreement are overdue.",
        "Issue them in the PSA, or name one with --period.",
    ),
    "GUARD_UNITS": Meaning("The quantity moves by more units than the guard allows.", ""),
    "GUARD_PERCENT": Meaning("The quantity moves by more percent than the guard allows.", ""),
    "GUARD_MONEY": Meaning("The line moves by more money than the guard allows.", ""),
    "GUARD_TO_ZERO": Meaning("The quantity would go to 0.", "Check with the client first."),
    "GUARD_COMMITMENT": Meaning(
        "The quantity would fall before the vendor's commitment ends.",
        "Wait for the day named, or lift the guard by name.",
    ),
    "GUARD_RENAME": Meaning(
        "A name behind one of the ids has changed since an earlier run.",
        "Check that the id still means the same; lift the guard once to trust the new name.",
    ),
    "FRACTION_NOT_SUPPORTED": Meaning(
        "The PSA takes whole numbers only.", "Add a `round` rule to the product."
    ),
    "ZERO_NOT_SUPPORTED": Meaning("The PSA takes no 0.", 'Set `at_zero = "end"`.'),
    "RESTORED_ALREADY": Meaning("The line holds what it held before that run.", ""),
    "DATED_CHANGE": Meaning(
        "The line ends and its like begins on that day with the new quantity, in two steps.", ""
    ),
    "BILLED_UNPROJECTED": Meaning(
        "The client is billed for this product on an agreement of which no invoice can be "
        "projected: what is billed in all is not known.",
        "Look at that line in the PSA; move it, or exclude the client by an exception.",
    ),
    "PRODUCT_ID_UNKNOWN": Meaning(
        "No line that was read tells the PSA's numeric id of the product.",
        "Give the numeric id in the product's `ids`.",
    ),
    "ADAPTER_BROKEN": Meaning(
        "The PSA's adapter does not say how this change would be made.",
        "Report it to whoever wrote the adapter.",
    ),
    "OWNERSHIP_CALCULATED": Meaning(
        "The PSA sets this line's quantity itself, from a counter or an integration.",
        "Change what it counts, or take the product out of the mapping.",
    ),
    "OWNERSHIP_UNKNOWN": Meaning(
        "The PSA does not say who sets this line's quantity.",
        "Look at the line in the PSA, and change it by hand if a person does.",
    ),
    "BELOW_MINIMUM": Meaning(
        "The PSA takes no quantity as small as this.", "Bill the smallest, or end the line."
    ),
    "DATED_NOT_SUPPORTED": Meaning(
        "The mapping asks for a dated change, and this PSA cannot make one here.",
        'Set `change = "in_place"`, or make it by hand.',
    ),
    "LINE_KIND_UNSUPPORTED": Meaning(
        "The PSA bills this line by more than a quantity and a unit price.",
        "Check and change it in the PSA.",
    ),
    "LINE_SHARED": Meaning(
        "Several clients are billed by this line: one change would change all their invoices.",
        "Give the client a line of its own in the PSA, or change it by hand.",
    ),
    "PSA_COLUMN_MISSING": Meaning(
        "The lines file has no column for the date that this change needs.",
        "Add the column to the lines file; its cells may stay empty.",
    ),
    "PSA_READ_ONLY": Meaning("This PSA cannot be written.", "Make the change by hand."),
    "CHANGE_NOT_SUPPORTED": Meaning("This PSA cannot make such a change.", "Make it by hand."),
    "RESTORED": Meaning("The quantity that a run changed would be put back.", ""),
    "CHANGED_SINCE": Meaning(
        "Somebody changed the line after the run that is to be undone.",
        "Decide by hand what it should bill.",
    ),
    # unmapped
    "SKU_NOT_MAPPED": Meaning(
        "No product of the mapping names this vendor product.", "Map it to a product."
    ),
    "CUSTOMER_NOT_MAPPED": Meaning(
        "No client of the mapping has this vendor customer.", "Add the id to a client."
    ),
    "AGREEMENT_NOT_FOUND": Meaning(
        "The client has no active agreement that the product's role describes.",
        "Name one under the client's `agreement`, or widen the role.",
    ),
    "AGREEMENT_AMBIGUOUS": Meaning(
        "Several active agreements of the client fit the product's role.",
        "Name one under the client's `agreement`.",
    ),
    "PRODUCT_NOT_IN_PSA": Meaning(
        "The product has no id in this client's PSA.", "Add it to the product's `ids`."
    ),
    # would not be written
    "USAGE_NOT_FINAL": Meaning(
        "Metered usage that its vendor has not called final; it may still grow.",
        "Run again when the period is final.",
    ),
    "SWITCH_OFF": Meaning(
        "The mapping does not allow this kind of write.", "Add it to `fields` under [writes]."
    ),
    "CLIENT_NOT_WRITABLE": Meaning(
        "The mapping does not allow writes for this client.", "Add it to `clients` under [writes]."
    ),
    "NOT_SELECTED": Meaning("Left out on the command line.", ""),
    # noticed
    "SUPERSEDED": Meaning("Older rows of the same thing were replaced by later ones.", ""),
    "LINE_ENDS": Meaning("The line ends inside the projected period.", ""),
    "ACCEPTANCE_STALE": Meaning(
        "This difference was accepted, but a number has moved since.", "Look at it again."
    ),
    "ACCEPTANCE_EXPIRED": Meaning(
        "This difference was accepted until a day that has passed.", "Look at it again."
    ),
    "MARGIN_BELOW_FLOOR": Meaning("The unit price leaves less margin than the floor.", ""),
    "NAME_DIFFERS": Meaning("The mapping's name of the client is not the PSA's.", ""),
}


def meaning(code: str) -> Meaning:
    """Raises KeyError for a code that is not in the vocabulary."""
    return REASONS[code]
