// Values that every logger is given besides its text. Each secret starts with `zoo-secret`: none of them may be stored.

/** The trace id under which each logger writes one line. */
export const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

/** A URL as a log-in leaves it. */
export const url = "https://shop.test/callback?code=zoo-secret-in-a-query&page=2";

/** The fields of a line with an id of its own: `correlationId`, secrets, and what must survive beside them. */
export const fields = (logger) => ({
  correlationId: `own-of-${logger}`,
  order: { id: 7, prompt_tokens: 12 },
  user: { password: ["zoo-secret-in-a-list"], apiKey: { value: "zoo-secret-in-an-object" }, hasPassword: true },
  url,
});

/** An error as a payment provider's client throws it. */
export class PaymentError extends Error {
  name = "PaymentError";

  constructor() {
    super("card declined", { cause: new Error("insufficient funds") });
  }
}
