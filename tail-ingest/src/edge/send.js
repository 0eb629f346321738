// One send to the queue against its deadline, in JavaScript because nearly every tail call has exactly this to wait for: the
// same race in Rust takes three closures and two more turns of the microtask queue.

const TEXT = { contentType: "text" };

/**
 * Sends `bodies` to `queue`, each as a message of text. Returns a promise that is always fulfilled, `limitMs` milliseconds
 * later at the latest: with undefined where the queue took them, with null where it did not answer in time, else with what
 * it threw. The timer is cleared when the queue answers; what it says later is ignored.
 */
export function sendBodies(queue, bodies, limitMs) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs, null);
    const answer = (result) => {
      clearTimeout(timer);
      resolve(result);
    };
    const refuse = (error) => answer(error ?? new Error("refused without a reason"));
    try {
      // The runtime copies a batch into a JSON text of its own; a single message goes as it is.
      const sent = bodies.length === 1
        ? queue.send(bodies[0], TEXT)
        : queue.sendBatch(bodies.map((body) => ({ body, ...TEXT })));
      sent.then(() => answer(), refuse);
    } catch (error) {
      refuse(error);
    }
  });
}
