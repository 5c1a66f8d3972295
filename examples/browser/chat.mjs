// Two mailboxes of one page that write to each other. Keys and what was received stay in this browser.
import { connect, IndexedDbStore } from 'countersign/client';

const url = new URLSearchParams(location.search).get('server') ?? 'http://127.0.0.1:7700';

/** 32 random bytes, made once. Whoever has them is this client. */
function keyOf(name) {
  const saved = localStorage.getItem(`countersign key of ${name}`);
  if (saved) return Uint8Array.from(JSON.parse(saved));
  const key = crypto.getRandomValues(new Uint8Array(32));
  localStorage.setItem(`countersign key of ${name}`, JSON.stringify([...key]));
  return key;
}

function element(parent, tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  parent.append(made);
  return made;
}

async function member(name) {
  const section = document.getElementById(name);
  element(section, 'h2', name);
  const state = element(section, 'p', 'connecting');
  const store = new IndexedDbStore(`countersign ${name}`);
  const client = await connect({
    url,
    key: keyOf(name),
    store,
    onReady: (on) => {
      on('state', (now) => {
        state.textContent = now.reason ? `${now.state}: ${now.reason.message}` : now.state;
      });
    },
  }).catch((error) => {
    state.textContent = error.message;
    throw error;
  });
  return { section, client };
}

/** What comes was verified before it is shown: its place is the same for everybody, its epoch is signed. */
async function show({ section, client }) {
  const list = element(section, 'ol', '');
  for await (const { body, senderHex, place } of client.mailbox()) {
    const item = element(list, 'li', new TextDecoder().decode(body));
    const where = `epoch ${place.epoch}, inbox ${place.inbox}, index ${place.index}`;
    element(item, 'div', '').append(element(item, 'small', `${where}, from ${senderHex.slice(0, 8)}…`));
  }
}

function write({ section, client }, to) {
  const form = element(section, 'form', '');
  const input = element(form, 'input', '');
  const proof = element(form, 'p', '');
  input.placeholder = 'a message';
  form.onsubmit = async (event) => {
    event.preventDefault();
    const body = input.value;
    input.value = '';
    const { place, checkpointSize } = await client.send({ to, body });
    proof.textContent = `in the order at epoch ${place.epoch}, proven in a log of ${checkpointSize} epochs`;
  };
}

const [alice, bob] = await Promise.all(['alice', 'bob'].map(member));
write(alice, bob.client.id);
write(bob, alice.client.id);
await Promise.all([alice, bob].map(show));
