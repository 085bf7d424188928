#!/usr/bin/env bash
# Writes a deterministic event log to stdout, one NDJSON line an event, as POST /v1/events takes it: several kinds of entities,
# interleaved as in life, types with spaces, times with offsets, payloads with letters of many scripts.
#
#   load/sample-log.sh [lines=8000] [seed=1]
set -euo pipefail
LC_ALL=C exec awk -v lines="${1:-8000}" -v seed="${2:-1}" '
  # Park and Miller: its products stay below 2^53, so every awk draws the same numbers.
  function draw(n) { seed = (seed * 16807) % 2147483647; return seed % n }
  function text_of(values, n,   parts) { split(values, parts, "|"); return parts[n] }

  # Milliseconds since the year began; whatever the number of lines, they fill some 300 days.
  function time_of(ms,   seconds, day, month, days) {
    seconds = int(ms / 1000); day = int(seconds / 86400); month = 1
    split("31 28 31 30 31 30 31 31 30 31 30 31", days, " ")
    while (month < 12 && day >= days[month]) { day -= days[month]; month++ }
    return sprintf("2025-%02d-%02dT%02d:%02d:%02d.%03d+01:00", month, day + 1,
      int(seconds / 3600) % 24, int(seconds / 60) % 60, seconds % 60, ms % 1000)
  }

  function payload_of(c, step,   kind) {
    kind = kind_of[c]
    if (step == 1)
      return sprintf("{\"channel\":\"%s\",\"name\":\"%s\",\"amount\":%d.%02d,\"urgent\":%s,\"handledBy\":null}",
        text_of("internet|counter|post|téléphone", draw(4) + 1), text_of(names, draw(8) + 1),
        draw(5000), draw(100), draw(10) ? "false" : "true")
    if (kind == "order")
      return sprintf("{\"lines\":[{\"sku\":\"%05d\",\"pieces\":%d}],\"note\":\"%s\"}",
        draw(99999), draw(9) + 1, text_of(notes, draw(6) + 1))
    return sprintf("{\"handledBy\":\"%s\",\"step\":%d,\"org:group\":\"Group %d\"}", text_of(names, draw(8) + 1), step, draw(6) + 1)
  }

  BEGIN {
    names = "Zoë Müller|Łukasz Żak|Анна Петрова|李小龍|محمد علي|Ngô Bảo|Björk Guðmundsdóttir|Ana 🌻"
    notes = "bitte klingeln|leave with neighbour|„fragil“|naïve façade|取扱注意|10 € Pfand"
    types["permit"] = "Application received|T02 Check completeness|T04 Request advice|Wait for advice|T06 Draft decision|Decision sent"
    types["order"] = "Order placed|Payment received|Parcel handed over|Delivered|Closed"
    types["member"] = "Member joined|Address changed|Fee paid|Fee reminded"
    split("permit order member", kinds, " ")
    steps["permit"] = 6; steps["order"] = 5; steps["member"] = 4
    alive = 0; now = 0; gap = int(2 * 300 * 86400000 / lines)
    for (line = 1; line <= lines; line++) {
      # A new case with every sixth event, the others go to one of the 200 youngest.
      if (alive == 0 || draw(6) == 0) { c = ++alive; kind_of[c] = kinds[draw(3) + 1] }
      else c = alive - draw(alive < 200 ? alive : 200)
      step = ++at[c]; now += 1 + draw(gap)
      type = text_of(types[kind_of[c]], step <= steps[kind_of[c]] ? step : steps[kind_of[c]])
      when = time_of(now); payload = payload_of(c, step)
      printf "{\"entity\":\"%s/case-%d\",\"type\":\"%s\",\"occurredAt\":\"%s\",\"payload\":%s}\n", kind_of[c], c, type, when, payload
    }
  }'
