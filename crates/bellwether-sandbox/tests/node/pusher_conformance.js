// Speaks with the stand-in for Smint.io's push channel by pusher-js: connecting, the signature of
// the private channel, the event, junk, a burst, a wrong key, a wrong signature, a stale token,
// and what the client does by itself when it is closed with 4200.
// Usage: node pusher_conformance.js PROGRAM   PROGRAM prints its addresses as one line of JSON.

"use strict";
const { spawn } = require("node:child_process");
const Pusher = require("pusher-js");

const DEADLINE = 20_000;
const EVENT = "global-transaction-history-update";
let checks = 0;

function check(good, what) {
  if (!good) throw new Error(`not so: ${what}`);
  checks += 1;
  console.log(`ok  ${what}`);
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came: ${what}`)), DEADLINE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The value of the next event of this name. */
function next(source, name) {
  return within(
    new Promise((resolve) => {
      const once = (value) => {
        source.unbind(name, once);
        resolve(value);
      };
      source.bind(name, once);
    }),
    name,
  );
}

function start(program) {
  const child = spawn(program, [], { stdio: ["pipe", "pipe", "inherit"] });
  const addresses = new Promise((resolve, reject) => {
    let text = "";
    child.on("error", reject);
    child.stdout.on("data", (data) => {
      text += data;
      if (text.includes("\n")) resolve(JSON.parse(text));
    });
  });
  return { child, addresses: within(addresses, "the stand-in's addresses") };
}

async function main(program) {
  const { child, addresses } = start(program);
  const clients = [];
  try {
    const page = `http://${(await addresses).page}`;
    const info = (await (await fetch(`${page}/admin/info`)).json()).smintio;
    const deed = async (name, body) => {
      const answer = await fetch(`${page}/admin/smintio/${info.tenant}/${name}`, {
        method: "POST",
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${name}: ${await answer.text()}`);
      return answer.json();
    };
    const form = (fields) => ({ method: "POST", body: new URLSearchParams(fields) });
    const given = await (
      await fetch(
        info.token_url,
        form({
          grant_type: "refresh_token",
          refresh_token: info.refresh_token,
          client_id: info.client_id,
          client_secret: info.client_secret,
        }),
      )
    ).json();
    const [host, port] = info.pusher.host.split(":");
    const client = (key, more) => {
      const made = new Pusher(key, {
        cluster: "eu",
        wsHost: host,
        wsPort: Number(port),
        forceTLS: false,
        enabledTransports: ["ws"],
        disableStats: true,
        ...more,
      });
      clients.push(made);
      return made;
    };
    const authorised = (token) => ({
      channelAuthorization: {
        endpoint: info.pusher.auth_url,
        transport: "ajax",
        headers: { Authorization: `Bearer ${token}` },
      },
    });

    const pusher = client(info.pusher.key, authorised(given.access_token));
    await next(pusher.connection, "connected");
    check(/^\d+\.\d+$/.test(pusher.connection.socket_id), "connected, with a socket id");
    const channel = pusher.subscribe(info.pusher.channel);
    await next(channel, "pusher:subscription_succeeded");
    check(channel.subscribed, "subscribed to the private channel with its signature");

    let event = next(channel, EVENT);
    await deed("buy", {});
    check((await event) !== undefined, "a purchase is hinted");
    event = next(channel, EVENT);
    await deed("hint", { payload: "]junk{" });
    check((await event) === "]junk{", "junk comes through as text and breaks nothing");
    let count = 0;
    const burst = within(
      new Promise((resolve) => {
        channel.bind(EVENT, () => {
          count += 1;
          if (count === 200) resolve();
        });
      }),
      "a burst",
    );
    await deed("hint", { burst: 200 });
    await burst;
    check(count === 200, "a burst of 200 comes whole");

    const again = next(channel, "pusher:subscription_succeeded");
    await deed("pusher", { close: 4200 });
    await again;
    event = next(channel, EVENT);
    await deed("hint", {});
    await event;
    check(true, "closed with 4200, the client comes back at once and hears again");

    const nobody = client("no-such-key", {});
    const error = await next(nobody.connection, "error");
    check(error.error.data.code === 4001, "a wrong key is refused with 4001");

    const forger = client(info.pusher.key, {
      channelAuthorization: {
        customHandler: (_, callback) => callback(null, { auth: `${info.pusher.key}:00` }),
      },
    });
    const forged = forger.subscribe(info.pusher.channel);
    const refused = await next(forged, "pusher:subscription_error");
    check(refused.status === 401 && !forged.subscribed, "a wrong signature is refused");

    const stale = client(info.pusher.key, authorised(given.access_token));
    await next(stale.connection, "connected");
    await deed("tokens", { expire_access: true });
    const late = stale.subscribe(info.pusher.channel);
    const expired = await next(late, "pusher:subscription_error");
    check(expired.status === 401 && !late.subscribed, "a stale token is refused by the tenant");
    console.log(`${checks} checks passed`);
  } finally {
    for (const made of clients) made.disconnect();
    child.stdin.end();
  }
}

main(process.argv[2]).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
