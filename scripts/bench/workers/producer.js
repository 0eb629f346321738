// The load: logs as many structured lines as it is asked for, one in ten of them a warning or an error.

/** One line, about 250 bytes, different each time. */
function line(correlationId, index) {
  const level = index % 20 === 7 ? "warn" : index % 20 === 17 ? "error" : "info";
  return [level, JSON.stringify({
    level,
    message: `order ${index} was priced for customer ${(index * 7919) % 100003}`,
    correlation_id: correlationId,
    context: { order_id: index, customer: `c-${(index * 7919) % 100003}`, amount_cents: (index * 31) % 90000, currency: "EUR", retries: index % 3, cached: index % 2 === 0 },
  })];
}

export default {
  fetch(request) {
    const count = Number(new URL(request.url).searchParams.get("count"));
    const correlationId = crypto.randomUUID();
    for (let index = 0; index < count; index++) {
      const [level, text] = line(correlationId, index);
      console[level](text);
    }
    return new Response("ok");
  },
};
