// What the parts of the page share.
export const $ = id => document.getElementById(id);

export const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

export const headers = () => {
  const key = sessionStorage.getItem("key");
  return { "Content-Type": "application/json", ...(key ? { Authorization: "Bearer " + key } : {}) };
};

async function failure(reply) {
  const text = await reply.text();
  try { return new Error(JSON.parse(text).error.message); } catch { return new Error("status " + reply.status); }
}

// A view of the server (its reply as JSON, or as text), asked with a body.
export async function view(path, asked = {}, form = "json") {
  const reply = await fetch(path, { method: "POST", headers: headers(), body: JSON.stringify(asked) });
  if (!reply.ok) throw Object.assign(await failure(reply), { status: reply.status });
  return form === "json" ? reply.json() : reply.text();
}

export async function models() {
  const reply = await fetch("v1/models", { headers: headers() });
  if (!reply.ok) throw Object.assign(await failure(reply), { status: reply.status });
  return (await reply.json()).data.map(model => model.id);
}

// The events of an answer as they come; calls `on` with each.
export async function stream(path, body, signal, on) {
  const reply = await fetch(path, { method: "POST", headers: headers(), body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }), signal });
  if (!reply.ok) throw await failure(reply);
  const decoder = new TextDecoder();
  let rest = "";
  for (const reader = reply.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: {")) continue;
      const event = JSON.parse(line.slice(6));
      if (event.error) throw new Error(event.error.message);
      on(event);
    }
  }
}
