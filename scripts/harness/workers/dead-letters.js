// Keeps what reaches the dead-letter queue in KV: the key has the time and the message's id, the value is the body.

export default {
  async queue(batch, env) {
    for (const message of batch.messages) {
      const body = typeof message.body === "string" ? message.body : JSON.stringify(message.body);
      await env.RECEIVED.put(`${Date.now()}-${message.id}`, body);
      message.ack();
    }
  },
};
