"use strict";
// The token comes in the address's fragment, which browsers do not send anywhere, and is removed from it at once.
const fragment = new URLSearchParams(location.hash.slice(1));
const token = fragment.get("token") ?? sessionStorage.getItem("token") ?? "";
if (token) sessionStorage.setItem("token", token);
history.replaceState(null, "", location.pathname);

const [state, said, form, line] = ["state", "said", "form", "line"].map((id) => document.getElementById(id));
// A script cannot set headers: the token travels as a subprotocol beside the real one.
const protocols = token ? ["hollerd.text", "bearer." + token] : ["hollerd.text"];
const socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/ws", protocols);
let named = false;

function show(text, own) {
  const item = document.createElement("li");
  item.textContent = text;
  item.classList.toggle("own", own);
  said.append(item);
  item.scrollIntoView();
}

socket.onopen = () => { state.textContent = token ? "connected: say your name" : "connected: send a token, then your name"; };
socket.onmessage = ({ data }) => {
  if (!named && data.startsWith("hello ")) {
    named = true;
    state.textContent = "connected";
    line.placeholder = "your message";
  }
  show(data, false);
};
socket.onclose = ({ code, reason }) => {
  state.textContent = code === 1006 ? "not connected: no server, or no valid token" : `closed: ${code} ${reason}`;
};
form.onsubmit = (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN || !line.value) return;
  socket.send(line.value);
  if (named) show(line.value, true);
  line.value = "";
};
