// Reads of each trace event what a tail Worker stores, and does nothing with it: what the runtime itself takes to hand an
// event over, below which no tail Worker can come.

let read = 0; // used, so that nothing is left out

const size = (value) => (typeof value === "string" ? value.length : 1);

export default {
  tail(events, env) {
    for (const item of events) {
      const { event, logs, exceptions, outcome, cpuTime, wallTime, eventTimestamp, scriptName } = item;
      read += size(outcome) + size(cpuTime) + size(wallTime) + size(eventTimestamp) + size(scriptName) + exceptions.length;
      const { request, response } = event;
      read += size(request.method) + size(request.url) + size(response.status);
      const { headers } = request;
      for (const name in headers) read += size(headers[name]);
      for (const { level, message, timestamp } of logs) {
        read += size(level) + size(timestamp);
        for (const argument of message) read += size(argument);
      }
    }
    return env.TAIL_LOGS.send("");
  },

  fetch: () => new Response(String(read)),
};
