API=http://127.0.0.1:7071/api/v1
OPERATOR="authorization: Bearer $(.venv/bin/cortex token --role operator --name olga)"
APPROVER="authorization: Bearer $(.venv/bin/cortex token --role approver --name ada)"
pick() { .venv/bin/python -c "import json, sys; print(eval('json.load(sys.stdin)' + sys.argv[1]))" "$1"; }

# 1. How does the estate stand?
curl -s -H "$OPERATOR" "$API/compliance/summary" | pick "['score']"

# 2. One finding that can be fixed, and why it is one
FINDING=$(curl -s -H "$OPERATOR" "$API/findings?policy=storage-secure-transfer&open=true&limit=1" | pick "['items'][0]['id']")
curl -s -H "$OPERATOR" "$API/findings/$FINDING/explain" | pick "['summary']"

# 3. Ask for the fix: a plan with the exact operation, its diff and its hash; nothing is changed
FIX=$(curl -s -H "$OPERATOR" -H "content-type: application/json" -H "idempotency-key: tour-$FINDING" \
  -d "{\"findings\": [\"$FINDING\"], \"note\": \"the tour\"}" "$API/remediations" | pick "['id']")
while curl -s -H "$OPERATOR" "$API/remediations/$FIX" | pick "['status']" | grep -qE 'requested|planning'; do sleep 0.3; done
HASH=$(curl -s -H "$OPERATOR" "$API/remediations/$FIX" | pick "['planHash']")

# 4. Somebody else approves exactly that plan
curl -s -H "$APPROVER" -H "content-type: application/json" -H "idempotency-key: approve-$FIX" \
  -d "{\"planHash\": \"$HASH\"}" "$API/remediations/$FIX/approve" | pick "['status']"

# 5. Watch it being applied, verified and closed
curl -sN --max-time 60 -H "$OPERATOR" "$API/remediations/$FIX/events" | grep event:
curl -s -H "$OPERATOR" "$API/findings/$FINDING" | pick "['status']"
