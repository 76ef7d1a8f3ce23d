"""Why the helpdesk sees of each item what it sees: one artificial example and one reason for each of the 144.

The helpdesk answers the telephone: it finds a filing by its receipt number, makes sure that the caller knows what
only the filer can know, and says where the filing stands. It judges nothing and decides nothing. What that takes
is shown; the rest stays with the review desk. `docs/masks.md` is made from this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Reasons = Mapping[str, tuple[str, str]]
"""item name → (artificial example, reason)"""

_HEIRS: Final[Reasons] = {
    "submitted_on": ("令和7年12月1日", "The caller names the day of filing; it tells apart two filings of one family."),
    "decedent_name_kana": ("ミホン　イチロウ", "First kana only: enough to notice a call about another estate."),
    "decedent_name": ("見本一郎", "First character: the caller says the name, the desk compares, and reads none out."),
    "decedent_address_at_death": (
        "東京都テスト区見本町1-2-3",
        "The ward decides whether this municipality was competent; house and street would locate the bereaved.",
    ),
    "decedent_died_on": ("2025-06-01", "A date of death identifies a family in any obituary; no answer depends on it."),
    "representative_name_kana": ("ミホン　タロウ", "First kana: how to address the caller is asked, not read."),
    "representative_name": ("見本太郎", "First character: the representative is who calls, and is asked for the rest."),
    "representative_address": (
        "テスト区見本町1-2-3",
        "Ward: letters go there, so the caller can confirm it without hearing it.",
    ),
    "representative_phone": (
        "00-0000-1234",
        "Last four digits: a call back goes to a number that the caller can complete.",
    ),
    "heir_name_kana": ("カクウ　ハナコ", "First kana: tells the rows of heirs apart when the caller asks about one."),
    "heir_name": ("架空花子", "First character: other heirs did not call; who they are is not said to one of them."),
    "heir_address": (
        "見本県架空市例示5",
        "Ward or city: whether an heir lives here matters for the letters, the house does not.",
    ),
    "heir_phone": ("00-0000-5678", "Last four digits: to confirm a number that the heir gives, never to give it."),
    "relationship_to_decedent": (
        "長女",
        "Kinship within a family, adopted or born outside marriage, is nobody's at a desk.",
    ),
    "inheritance_share": ("1/4", "The division of an estate is what heirs quarrel about; the desk must not take part."),
    "remarks": ("架空の事情あり", "Free text between heirs and ward: it may hold illness, quarrel or a number."),
}
_EXEMPTION: Final[Reasons] = {
    "submitted_on": (
        "2025-12-01",
        "The seller's question is how long it has been waiting; this is where that count begins.",
    ),
    "secondary_taxpayer_address": (
        "テスト区架空2-3-4",
        "Ward: confirms the seller's seat or home without giving it away.",
    ),
    "secondary_taxpayer_name": (
        "㈱架空自動車　見本太郎",
        "First character: the seller may be a person, and one mask has to do for both.",
    ),
    "secondary_taxpayer_my_number": (
        "123456789018",
        "個人番号 never leaves the review section; not even that one was given.",
    ),
    "secondary_taxpayer_corporate_number": (
        "7000020999997",
        "A 法人番号 is published by law and names the seller exactly; shown only if its check digit is right.",
    ),
    "secondary_taxpayer_phone": (
        "00-0000-2345",
        "Last four digits: the desk can ring the seller back only with the caller's help.",
    ),
    "vehicle_registration_number": (
        "テスト 580 あ 12-34",
        "A plate leads to the buyer, who has disappeared and did not call.",
    ),
    "vehicle_make_and_model": (
        "架空自動車　TST-100",
        "With plate or ward, make and model single out one car; no answer needs them.",
    ),
    "principal_garage_address": (
        "テスト区見本町9-8-7",
        "Ward: where the car was kept decides the office; it is often the buyer's home.",
    ),
    "vehicle_registered_on": (
        "2023-06-02",
        "With the make it finds one car in any register; only the reviewer compares it.",
    ),
    "buyer_address": (
        "見本県架空市例示1-1",
        "City: the buyer is being looked for; the desk must not help a caller find him.",
    ),
    "buyer_name": ("架空花子", "First character: the buyer is a third party to the call."),
    "contract_date": (
        "2023-06-01",
        "A private contract between seller and buyer; its day is evidence for the reviewer.",
    ),
    "sale_price": ("2000000", "What somebody paid for a car is business of two parties and no question of status."),
    "payment_method": ("口座振替", "How the buyer paid says how he lives; it is evidence, not an answer."),
    "installment_count": ("36", "The length of a private loan; the helpdesk explains forms, not credit."),
    "last_payment_date": ("2025-06-01", "Shows when the buyer stopped paying: a judgement on a person who is absent."),
    "uncollectible_price": ("1000000", "A claim of the seller against the buyer, in dispute by its nature."),
    "exemption_fiscal_year": ("2024", "Which year's tax is meant is the first thing the seller asks about."),
    "exemption_tax_amount": (
        "30000",
        "Tax amounts are under 地方税法第22条; the desk sends the caller to the tax section.",
    ),
    "vehicle_missing_since_and_circumstances": (
        "令和7年6月1日ごろから所在不明。架空の経過です。",
        "A narrative about a vanished car accuses people by name; it is read by the reviewer alone.",
    ),
    "buyer_address_unknown_since_and_circumstances": (
        "R7.7.1　買主が転居先不明（架空）",
        "Why somebody cannot be found may be violence or debt; nothing of it is for a telephone.",
    ),
    "remarks": ("添付のとおり", "Free text of the seller, usually about the buyer."),
}
_PLEDGE: Final[Reasons] = {
    "submitted_on": ("R7.12.1", "The proof must come before the day of the sale decision: both sides count from here."),
    "submitter_address": (
        "テスト区例示3-2-1",
        "Ward: the catalogue does not say whose address it is, so no more than that.",
    ),
    "submitter_name": ("見本信用金庫　架空次郎", "First character: a pledgee may be a bank or a private lender."),
    "fiscal_year": ("2024", "Needed to say against which year's levy the pledge is claimed; no person in it."),
    "tax_item": ("特別区民税", "The tax decides which section the caller is put through to."),
    "term": ("第1期", "With year and tax it names the levy row the caller speaks of."),
    "due_date": ("2024-06-30", "Published for every taxpayer alike; a row is recognised by it."),
    "tax_amount": ("120000", "What a third person owes the ward; 地方税法第22条 forbids saying it."),
    "additional_charge": (
        "5000",
        "A penalty for not declaring: a judgement on the taxpayer, not on the pledgee who calls.",
    ),
    "delinquency_charge": ("3400", "Grows daily and shows how late somebody is; the tax section computes it anew."),
    "demand_fee": ("100", "That a demand was sent shows arrears, however small the fee."),
    "disposition_cost": ("8000", "Shows that property was seized; known to the parties, not to a desk."),
    "remarks": ("見本", "Free text; may describe the loan behind the pledge."),
}
_RELEASE: Final[Reasons] = {
    "submitted_on": ("2025年12月1日", "Someone whose account is frozen asks since when the application is there."),
    "applicant_address": (
        "東京都テスト区試験台1-2-3",
        "Ward: confirms the applicant without telling where a debtor lives.",
    ),
    "applicant_name": ("架空三郎", "First character: that this person has been seized from is itself the secret."),
    "grace_granted_on": ("2025-06-01", "A grace is granted for illness, disaster or ruin; its day would reveal it."),
    "seized_property_name": ("普通預金", "Says what somebody owns and has lost for now."),
    "seized_property_quantity": ("2台", "With the kind of property it measures a household's goods."),
    "seized_property_location": (
        "テスト区見本町4",
        "Ward: real estate or a bank branch; the ward alone tells which office seized it.",
    ),
    "seized_on": ("2025-05-01", "The day of a seizure is a fact of enforcement; the collection section speaks of it."),
    "remarks": ("電話連絡を希望します", "Free text of a person in distress: may hold health and money."),
}
_ENTRUSTMENT: Final[Reasons] = {
    "submitted_on": ("2025-12-01", "Securities fall due; the caller asks whether they came in time."),
    "entruster_address": (
        "テスト区架空7-7-7",
        "Ward: entruster and taxpayer are merged in this item, so only what fits both.",
    ),
    "entruster_name": ("例示桜", "First character: may be somebody who pays for another and wants that quiet."),
    "security_kind_and_number": ("約束手形　TS000123", "The number of a note is as good as cash to a forger."),
    "face_amount": ("500000", "The amount of a private note between two parties."),
    "payer": ("見本銀行テスト支店", "First character: usually a bank, but a note may be payable by a person."),
    "payment_place": ("架空信用組合本店", "The branch leads to the drawer's account."),
    "security_due_date": ("2026-01-31", "With amount and branch it completes the note; nothing to read out."),
    "drawer_address": ("見本県架空市例示8", "City: the drawer is a third person whose home is no matter of this call."),
    "drawer_name": ("試験一子", "First character: that somebody's notes are used to pay tax is about credit."),
    "collection_cost": ("880", "Small, and still part of what the offer costs this filer."),
    "paid_by_security_due_date": (
        "令和8年1月31日",
        "Repeats the due date of a note, which is hidden above; it would undo that.",
    ),
    "fiscal_year_and_term": ("令和6年度第1期", "Names the levy that shall be paid: the subject of the call."),
    "tax_item": ("軽自動車税", "Which section to connect the caller to."),
    "due_date": ("2024-05-31", "The same for all taxpayers of a term; helps to find the row."),
    "tax_amount": ("10800", "Tax owed; 地方税法第22条. The notice in the caller's hand says it."),
    "delinquency_charge": ("400", "Shows lateness, and changes until the note is paid."),
    "disposition_cost": ("1200", "Shows that enforcement had begun against this filer."),
    "total": ("12400", "The sum would give away the hidden amounts of a single levy."),
    "tax_notice_number": ("TEST-00012345", "Opens the taxpayer's record in the ward's tax system: a key, not a fact."),
    "remarks": ("特になし", "Free text; may explain why the filer cannot pay at once."),
}
_ADVANCE: Final[Reasons] = {
    "tax_category": ("1", "A routing code of the portal: says which counter, nothing of a person."),
    "form_id": ("TST0001", "Names the form's version, for questions about how to fill it in."),
    "procedure_id": ("TEST0006", "Names the procedure as the portal does; the caller sees it on the receipt."),
    "user_id": ("tst00012345", "Half of a login to eLTAX: a caller who asks for it may be somebody else."),
    "taxpayer_id": ("TEST-00054321", "Finds the person in other systems of the tax office."),
    "agent_user_id": ("tst10012345", "An agent's login, used for all of the agent's clients."),
    "agent_taxpayer_id": ("TEST-00099999", "Says which tax accountant acts for this filer."),
    "receipt_number": (
        "R7-99999-000000017",
        "Typed into the form; the desk goes by the portal's own, which heads the record.",
    ),
    "received_on": ("令和7年12月1日", "Legal time of receipt: the most frequent question of all."),
    "destination_lg_code": ("999997", "The municipality addressed: whether the caller is at the right desk."),
    "destination_tax_office_code": ("001", "The office within the municipality; for connecting the call."),
    "destination_head_title": ("テスト区長", "A title of office, the same on every form of this ward."),
    "offered_on": ("2025-12-01", "The day that the filer wrote; differs from receipt over midnight, and callers ask."),
    "offeror_postal_code": (
        "999-0001",
        "Seven digits narrow a home to a block; the ward is shown by the address already.",
    ),
    "offeror_address": ("テスト区試験台2-4-6", "Ward: confirms the offeror, who may live elsewhere than the taxpayer."),
    "offeror_name_and_representative": (
        "合同会社テスト　例示花子",
        "First character: a company would be public, its representative and a private offeror are not.",
    ),
    "offeror_phone": ("00-0000-3456", "Last four digits: to check the number under which the offeror expects a call."),
    "taxpayer_postal_code": (
        "9990002",
        "As precise as an address without a number; of a taxpayer who may not be the caller.",
    ),
    "taxpayer_address": (
        "見本県架空市例示10-1",
        "City: whether the taxpayer has moved away explains most advance payments.",
    ),
    "taxpayer_name_and_representative_kana": (
        "カクウ　サクラ",
        "First kana: how the name is read, for finding it in a list.",
    ),
    "taxpayer_name_and_representative": (
        "架空桜",
        "First character: the tax is this person's affair, whoever makes the offer.",
    ),
    "number_kind": ("individual", "Tells a person from a corporation, so the desk knows how to ask; no number in it."),
    "my_number": ("123456789018", "個人番号 never leaves the review section; the caller is never asked for it either."),
    "corporate_number": (
        "7000020999997",
        "Public by law; shown when the check digit holds, hidden when it may be another number.",
    ),
    "fiscal_year": ("2025", "The year that is paid in advance: the desk tells the caller which year was booked."),
    "tax_item": ("特別区民税", "The tax that is paid in advance; decides who answers."),
    "advance_payment_amount": ("150000", "An estimate of income under another name."),
    "payment_date": ("2025-12-10", "When the payment is to arrive: the caller asks whether it has."),
    "advance_payment_reason": (
        "海外へ転出する予定（架空）",
        "Moving abroad, illness, divorce: reasons are told to the reviewer.",
    ),
    "remarks": ("見本の備考", "Free text beside the reason, and of the same kind."),
}
_REFUND: Final[Reasons] = {
    "submitted_on": ("令和７年１２月１日", "Interest is computed from days; the caller asks which day counts."),
    "applicant_address": (
        "テスト区見本町6-5-4",
        "Ward: the refund is announced by letter; the caller confirms where to.",
    ),
    "applicant_name": (
        "髙見本次郎",
        "First character, with old form 髙 kept: the caller notices at once if it is wrong.",
    ),
    "applicant_phone": ("00-0000-4567", "Last four digits: refunds attract fraud by telephone, so none is read out."),
    "loss_reason": (
        "架空の契約が無効となったため",
        "A contract that came to nothing: often a lawsuit, always private.",
    ),
}
_SUBROGATION: Final[Reasons] = {
    "submitted_on": (
        "2025-12-01",
        "Subrogation has to be filed soon after payment; the third party asks whether it was.",
    ),
    "third_party_address": (
        "テスト区架空8-8",
        "Ward: the third party files and calls; this confirms without repeating.",
    ),
    "third_party_name": ("見本花子", "First character: whoever pays another's tax often does not want it known."),
    "taxpayer_address": (
        "テスト区例示1-9",
        "Ward: the debtor is not the caller, and may be hiding from this very caller.",
    ),
    "taxpayer_name": ("架空太郎", "First character: enough to know that both speak of the same debtor."),
    "fiscal_year": ("2024", "Which year's levy was paid; names no person."),
    "tax_item": ("入湯税", "Which tax was paid; decides the section."),
    "term": ("全期", "Whether one term or the whole year was paid: the row that the caller means."),
    "due_date": ("2024-07-31", "Known to everyone who ever had such a notice; marks the row."),
    "tax_amount": ("45000", "The debtor's tax; the third party has its own receipt for what it paid."),
    "additional_charge": ("4500", "A penalty on the debtor for declaring late or falsely: not the payer's to discuss."),
    "delinquency_charge": ("1500", "The debtor's lateness is not the third party's to hear."),
    "demand_fee": ("100", "A demand to the debtor is a matter between ward and debtor."),
    "disposition_cost": ("2000", "Would show that the debtor's property was seized before somebody paid."),
    "remarks": ("例示", "Free text, here about relations between debtor and payer."),
    "mortgage_description": (
        "テスト区見本町1番の土地、順位1番の抵当権（架空）",
        "A land register entry names owner and bank; who needs it reads the register.",
    ),
    "legitimate_interest_proof": (
        "物上保証人（見本）",
        "Says that the payer is guarantor or creditor of the debtor: evidence for the reviewer.",
    ),
}
_REPORT: Final[Reasons] = {
    "submitted_on": ("2025-12-01", "Dealers report in bulk; the day tells one list from the next."),
    "seller_address": ("テスト区見本町2-2-2", "Ward: a dealer's branch; enough to know which branch is calling."),
    "seller_name_and_representative": (
        "株式会社見本商事　架空太郎",
        "First character: the item mixes a public firm with a private person's name.",
    ),
    "vehicle_registration_number": ("テスト区 い 1234", "One plate, one holder: a buyer could be found by it."),
    "vehicle_registered_on": (
        "2025-06-01",
        "Orders a list of cars by age and finds the newest; only the reviewer needs it.",
    ),
    "chassis_number": ("TST100-0001234", "Identifies one vehicle for its whole life, over all its owners."),
    "buyer_name": (
        "試験三郎",
        "First character: tells the rows of the dealer's list apart; the buyer did not file it.",
    ),
    "buyer_address": ("テスト区試験台5-5-5", "Ward: whose tax it will be; the house is the buyer's."),
    "summary": ("見本の摘要", "Free text per car: arrears and returns of a customer have stood here."),
    "remarks": ("特になし", "Free text for the whole list; may name several customers."),
}
REASONS: Final[Mapping[str, Reasons]] = {
    "heir-representative-designation": _HEIRS,
    "vehicle-tax-secondary-liability-exemption": _EXEMPTION,
    "unregistrable-pledge-priority-proof": _PLEDGE,
    "seizure-release-under-grace": _RELEASE,
    "payment-entrustment-offer": _ENTRUSTMENT,
    "advance-payment-offer": _ADVANCE,
    "refund-interest-loss-of-economic-result": _REFUND,
    "third-party-payment-subrogation": _SUBROGATION,
    "retained-title-light-vehicle-report": _REPORT,
}
