#!/bin/sh
# One filing from the filer to the tax teams and back, on a real Kafka of its own:
# file - find - return with a message - correct - accept - hand over to two tax teams - prove.
# Needs `eltax-hub` on the PATH (. .venv/bin/activate). Everything it makes lies in a directory that it removes.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
export HUB_HOME="$work/home"
unset HUB_ROLE_DIR
hub=

finish() {
    status=$?
    trap - EXIT INT TERM
    if [ -n "$hub" ]; then
        kill "$hub" 2>/dev/null || true
        wait "$hub" || true
    fi
    [ "$status" = 0 ] || { echo "the story ended with $status" >&2; cat "$work/up.err" >&2 || true; }
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
# value EXPRESSION: of `rows`, the JSON lines on standard input
value() { python3 -c 'import json, sys; rows = [json.loads(line) for line in sys.stdin]; print(eval(sys.argv[1]))' "$1"; }
# await COMMAND...: until it succeeds, three minutes at most
await() {
    tries=180
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "waited in vain: $*" >&2; return 1; }
        sleep 1
    done
}
same() { [ "$1" = "$2" ] || { echo "expected $2, found $1" >&2; exit 1; }; }

filing=$(value 'rows[0]["receipt_number"]' < "$here/filing.jsonl")
correction=$(value 'rows[0]["receipt_number"]' < "$here/correction.jsonl")

say "the hub starts"
eltax-hub up --partitions 3 --json > "$work/up" 2> "$work/up.err" &
hub=$!
is_up() { kill -0 "$hub" && [ -s "$work/up" ]; }
await is_up

has() { eltax-hub review list --json | grep -q "\"$1\""; }
has_status() { eltax-hub portal status "$1" --json > "$work/status" && grep -q "\"status\": *\"$2\"" "$work/status"; }

say "a filing whose 個人番号 has a wrong check digit: accepted by law, and found"
eltax-hub submit "$here/filing.jsonl" --json | value 'rows[0]["status"]'
await has "$filing"
eltax-hub review show "$filing" --json > "$work/shown"
value '", ".join(sorted(each["rule"] for each in rows[0]["findings"]))' < "$work/shown"
same "$(value 'any("my_number" in each["path"] for each in rows[0]["findings"])' < "$work/shown")" True

say "it is returned with a message, which the filer's side opens"
eltax-hub review claim "$filing" --by 架空の審査担当
eltax-hub review decide "$filing" return --reason number-invalid --by 架空の審査担当 --answer-by 2099-03-31 \
    --message '個人番号をご確認のうえ、訂正して再提出してください。'
await has_status "$filing" returned
value 'rows[-1]["decision"] + ": " + rows[-1]["message"]' < "$work/status"

say "the helpdesk sees where it stands, masked, and not the message"
told() { eltax-hub helpdesk lookup "$filing" --json > "$work/helpdesk" && grep -q number-invalid "$work/helpdesk"; }
await told
value 'rows[0]["status"], [item["shown"] for item in rows[0]["items"] if item["name"] == "secondary_taxpayer_name"]' < "$work/helpdesk"
same "$(grep -c '訂正して再提出\|髙見本三郎\|123456789012' "$work/helpdesk" || true)" 0

say "the correction names the filing that it replaces, and is accepted for two tax teams"
eltax-hub submit "$here/correction.jsonl" --json | value 'rows[0]["status"]'
await has "$correction"
eltax-hub review decide "$correction" accept --reason complete --by 架空の審査担当 \
    --tax-item light-vehicle-tax --tax-item resident-tax
await has_status "$correction" accepted

say "each team opens its own, with its own key, in a process of its own"
running() { value "rows[0][\"$1\"]" < "$work/up"; }
as_role() { # as_role PRINCIPAL COMMAND...
    role=$1; shift
    env HUB_ROLE_DIR="$HUB_HOME/roles/$role" HUB_BOOTSTRAP="$(running bootstrap)" HUB_NAMESPACE="$(running namespace)" \
        HUB_PARTITIONS="$(running partitions)" "$@"
}
for team in tax-light-vehicle-tax-131041 tax-resident-tax-131041 tax-tobacco-tax-131041; do
    as_role "$team" eltax-hub consume tax --drain 2> "$work/$team.err"
    eltax-hub tax list "$team" --json > "$work/$team"
    echo "$team: $(value '[row["tax_item"] for row in rows]' < "$work/$team")"
done
same "$(value '[(row["tax_item"], row["receipt_number"]) for row in rows]' < "$work/tax-light-vehicle-tax-131041")" \
    "[('light-vehicle-tax', '$correction')]"
same "$(value '[(row["tax_item"], row["receipt_number"]) for row in rows]' < "$work/tax-resident-tax-131041")" \
    "[('resident-tax', '$correction')]"
same "$(value 'len(rows)' < "$work/tax-tobacco-tax-131041")" 0
same "$(value 'rows[0]["submission"]["items"]["secondary_taxpayer_name"]' < "$work/tax-resident-tax-131041")" 髙見本三郎

say "a city's own system does the same with the kit: its table, its transaction"
as_role tax-resident-tax-131041 python3 "$here/tax_table.py" "$work/table.db"

say "everything that was sent, decided and handed over is where it must be"
eltax-hub reconcile --json | value '(rows[0]["agreed"], rows[0]["decisions"]["decided"], rows[0]["handovers"]["taken-over"])'

say "the filer's side holds the desk's signed receipt; anybody can check it"
eltax-hub portal receipt "$correction" --output "$work/delivery-receipt"
mkdir "$work/elsewhere"
cp "$work/delivery-receipt" "$HUB_HOME/trust.bin" "$HUB_HOME/roles/admin/admin.pub" "$work/elsewhere"
(cd "$work/elsewhere" && env -u HUB_HOME eltax-hub portal check-receipt delivery-receipt --trust trust.bin --admin admin.pub --json) \
    | value 'rows[0]["verified"]'

say "the audit log proves the filing to a process that has these files and no hub"
eltax-hub audit publish --tenant 131041 --json | value 'rows[0]["log"], rows[0]["size"] > 0'
(
    cd "$work/elsewhere"
    eltax-hub audit key --tenant 131041 > log.vkey
    eltax-hub audit prove "$correction" --tenant 131041 --output proof --entry entry --opening opening
    alone() { env -i PATH="$PATH" eltax-hub audit check --key log.vkey --proof "$1" --entry entry --opening opening; }
    alone proof
    alone proof | grep -q "$correction"
    sed '$d' proof > damaged
    if alone damaged 2> refused; then echo "a damaged proof was believed" >&2; exit 1; fi
)

say "the story is complete"
