-- ingest.lua - wrk's side of the ingest bench: token, events a request, comma separated session ids.
local ids, rows, n = {}, 1, 0
local head = '{"type":"transcript.partial","payload":{"endMs":1001,"speaker":"user","startMs":1000,"text":"'
  .. 'the quick brown fox jumps over the lazy dog","utteranceId":"utt-1"},"sessionId":"'

function init(args)
  wrk.method = 'POST'
  wrk.headers['Authorization'] = 'Bearer ' .. args[1]
  wrk.headers['Content-Type'] = 'application/json'
  rows = tonumber(args[2])
  for id in args[3]:gmatch('[^,]+') do ids[#ids + 1] = id end
end

function request()
  n = n + 1
  local one = head .. ids[n % #ids + 1] .. '"}'
  if rows == 1 then return wrk.format(nil, nil, nil, one) end
  return wrk.format(nil, nil, nil, '[' .. one .. string.rep(',' .. one, rows - 1) .. ']')
end
