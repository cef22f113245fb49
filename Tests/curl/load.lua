-- For wrk: one signed ticket over and over; prints how many answers were 202 and how many were not.
wrk.method = "POST"
wrk.body = os.getenv("BODY")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-ServiceDesk-Signature"] = os.getenv("TAG")

function delay() return 3 end -- ms; some 10,000 a second are load enough, and leave the disk alone

local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() accepted, refused = 0, 0 end
function response(status)
    if status == 202 then accepted = accepted + 1 else refused = refused + 1 end
end
function done(summary)
    local good, bad = 0, 0
    for _, thread in ipairs(threads) do good, bad = good + thread:get("accepted"), bad + thread:get("refused") end
    local e = summary.errors
    print(("accepted %d refused %d broken %d"):format(good, bad, e.connect + e.read + e.write + e.timeout))
end
