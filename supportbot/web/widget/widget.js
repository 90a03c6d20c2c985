/*
 * The supportbot widget: <support-widget endpoint key title suggestions open>. Apache-2.0.
 *
 *   <script src="https://bot.example.com/widget.js" data-key="…" defer></script>
 *
 * A plain script tag adds the widget to the page, unless the page holds a <support-widget> already.
 * No dependency, no third-party request, no inline style, no HTML sink: it works under a strict
 * Content-Security-Policy with Trusted Types.
 */
(() => {
  "use strict";
  if (customElements.get("support-widget")) return;

  const MAX_QUESTION = 4000;
  const SILENCE_MS = 45_000; // the server sends a comment line at least every 15 s
  const KEPT_TURNS = 20;
  const STAGES = {
    searching: "Searching the help articles…",
    reading: "Reading what was found…",
    writing: "Writing the answer…",
    checking: "Checking it against the sources…",
  };
  const LABELS = { quoted: "Quoted from our articles", handed_off: "How to reach a person" };
  const ICONS = {
    chat: ["M4 6.5A2.5 2.5 0 0 1 6.5 4h11A2.5 2.5 0 0 1 20 6.5v7a2.5 2.5 0 0 1-2.5 2.5H12l-4.5 4v-4h-1A2.5 2.5 0 0 1 4 13.5z"],
    close: ["M6 6l12 12", "M18 6 6 18"],
    fresh: ["M12 5v14", "M5 12h14"],
    send: ["M12 19V5", "M6 11l6-6 6 6"],
    stop: ["M8 8h8v8H8z"],
    up: ["M7 11v9H4v-9z", "M7 11l4-7c1.5 0 2.5 1 2.5 2.5V9.5h4.6a2 2 0 0 1 2 2.4l-1.3 6.4a2 2 0 0 1-2 1.7H7"],
    down: ["M17 13V4h3v9z", "M17 13l-4 7c-1.5 0-2.5-1-2.5-2.5v-3H5.9a2 2 0 0 1-2-2.4l1.3-6.4a2 2 0 0 1 2-1.7H17"],
    flag: ["M6 21V4", "M6 5c4-2.5 8 2.5 12 0v9c-4 2.5-8-2.5-12 0"],
    retry: ["M20 12a8 8 0 1 1-2.6-5.9", "M20 4v5h-5"],
  };

  const CSS = `
:host { display: contents; }
.root {
  all: initial; /* here, because the page's own rules may reach :host and win over ours */
  color-scheme: light dark;
  --paper: #fff; --raised: #f4f5fb; --ink: #1b1d29; --muted: #5c6072; --line: #dfe1ec;
  --accent: #3340b8; --on-accent: #fff; --tint: #e9ebfb; --on-tint: #20277a;
  --warn: #8a3b12; --warn-tint: #fdf1ea; --shadow: 0 12px 48px rgb(20 22 45 / .22), 0 2px 8px rgb(20 22 45 / .1);
  position: fixed; z-index: 2147483000; right: 20px; bottom: 20px;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  color: var(--ink);
}
@media (prefers-color-scheme: dark) {
  .root {
    --paper: #181b24; --raised: #222633; --ink: #e8eaf2; --muted: #a6abbe; --line: #343949;
    --accent: #aab4ff; --on-accent: #14172f; --tint: #2b3157; --on-tint: #dde1ff;
    --warn: #ffb78f; --warn-tint: #3a261b; --shadow: 0 12px 48px rgb(0 0 0 / .6);
  }
}
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, textarea { font: inherit; color: inherit; }
button { cursor: pointer; }
a { color: var(--accent); text-underline-offset: .16em; }
svg { display: block; width: 20px; height: 20px; fill: none; stroke: currentColor; stroke-width: 1.8;
  stroke-linecap: round; stroke-linejoin: round; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.launcher { display: grid; place-items: center; width: 58px; height: 58px; margin-left: auto; border: 0;
  border-radius: 50%; background: var(--accent); color: var(--on-accent); box-shadow: var(--shadow); }
.launcher svg { width: 27px; height: 27px; }

.panel { position: fixed; right: 20px; bottom: 92px; display: flex; flex-direction: column;
  width: min(408px, calc(100vw - 40px)); height: min(680px, calc(100vh - 116px)); overflow: hidden;
  border: 1px solid var(--line); border-radius: 18px; background: var(--paper); box-shadow: var(--shadow); }
.head { display: flex; align-items: center; gap: 4px; padding: 13px 12px 13px 16px; border-bottom: 1px solid var(--line); }
.head > div { flex: 1; min-width: 0; }
.logo { display: grid; place-items: center; flex: none; width: 38px; height: 38px; margin-inline-end: 8px; border-radius: 12px;
  background: var(--accent); color: var(--on-accent); }
.title { margin: 0; font-size: 16px; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; }
.subtitle { margin: 1px 0 0; color: var(--muted); font-size: 13px; line-height: 1.4; }
.icon { display: grid; place-items: center; flex: none; width: 36px; height: 36px; padding: 0; border: 0;
  border-radius: 10px; background: none; color: var(--muted); }
.icon:hover { background: var(--raised); color: var(--ink); }

.log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 20px; }
.log:focus-visible { outline-offset: -3px; }
.hello { margin: 0 0 14px; }
.chips { display: flex; flex-wrap: wrap; gap: 8px; margin: 0; padding: 0; list-style: none; }
.chip { padding: 7px 13px; border: 1px solid var(--line); border-radius: 99px; background: var(--paper);
  color: var(--accent); font-size: 14px; line-height: 1.4; text-align: start; }
.chip:hover { border-color: var(--accent); }
.turn + .turn { margin-top: 28px; }
.hello + .turn, .chips + .turn { margin-top: 24px; }
.question { width: fit-content; max-width: 86%; margin: 0 0 16px auto; padding: 9px 15px; border-radius: 16px 16px 4px 16px;
  background: var(--tint); color: var(--on-tint); white-space: pre-wrap; overflow-wrap: anywhere; }
.status { display: flex; align-items: center; gap: 9px; margin: 0; color: var(--muted); font-size: 14px; }
.text:not(:empty) + .status { margin-top: 12px; }
.status::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: var(--accent); }
.label { display: inline-block; margin: 0 0 10px; padding: 2px 10px; border-radius: 99px; background: var(--raised);
  color: var(--muted); font-size: 12.5px; font-weight: 550; }
.text { overflow-wrap: anywhere; }
.text:empty { display: none; }
.text > :first-child { margin-top: 0; }
.text > :last-child { margin-bottom: 0; }
.text p, .text ul, .text ol, .text pre, .text blockquote, .text .wide { margin: 0 0 .75em; }
.text h3 { margin: 1.1em 0 .4em; font-size: 15.5px; line-height: 1.35; }
.text ul, .text ol { padding-inline-start: 1.4em; }
.text li { margin: .25em 0; }
.text li > ul, .text li > ol { margin: .25em 0; }
.text blockquote { padding-inline-start: 12px; border-inline-start: 3px solid var(--line); }
.text code { padding: .1em .32em; border-radius: 5px; background: var(--raised);
  font: .87em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.text pre { overflow-x: auto; padding: 11px 13px; border-radius: 10px; background: var(--raised); }
.text pre code { padding: 0; background: none; overflow-wrap: normal; }
.text .wide { overflow-x: auto; }
.text table { border-collapse: collapse; font-size: 14px; overflow-wrap: normal; }
.text th, .text td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); text-align: start; vertical-align: top; }
.mark { margin-inline: 1px; padding: .1em .46em; border-radius: 6px;
  background: var(--tint); color: var(--on-tint); font-size: .74em; line-height: 1.55; font-weight: 600;
  text-decoration: none; vertical-align: .22em; }
a.mark:hover { background: var(--accent); color: var(--on-accent); }
.not_found .text, .clarify .text { padding-inline-start: 13px; border-inline-start: 3px solid var(--line); }
.unavailable .text, .failure { padding: 11px 14px; border-radius: 12px; background: var(--warn-tint); color: var(--warn); }
.failure { margin: 10px 0 0; }

.sources { margin: 16px 0 0; }
.sources h3 { margin: 0 0 8px; color: var(--muted); font-size: 12.5px; line-height: 1.4; font-weight: 600; }
.sources ol { margin: 0; padding: 0; list-style: none; }
.source { display: grid; grid-template-columns: auto 1fr; gap: 2px 10px; padding: 9px 12px; border: 1px solid var(--line);
  border-radius: 12px; }
.source + .source { margin-top: 8px; }
.source .mark { margin: 3px 0 0; align-self: start; }
.source a, .source b { font-size: 14px; line-height: 1.45; font-weight: 600; overflow-wrap: anywhere; }
.source a { text-decoration: none; }
.source a:hover { text-decoration: underline; }
.place { color: var(--muted); font-size: 14px; }
.source blockquote { grid-column: 2; display: -webkit-box; overflow: hidden; margin: 0; color: var(--muted); font-size: 13px;
  line-height: 1.5; overflow-wrap: anywhere; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
.foot { display: flex; align-items: center; gap: 2px; min-height: 36px; margin: 8px 0 0; color: var(--muted); font-size: 13px; }
.foot .icon { width: 34px; height: 34px; }
.foot .icon:first-of-type { margin-inline-start: 4px; }
.foot svg { width: 17px; height: 17px; }
.icon[aria-pressed="true"] { color: var(--accent); }
.icon[aria-pressed="true"] svg { fill: var(--tint); }
.retry { display: inline-flex; align-items: center; gap: 7px; margin: 10px 0 0; padding: 7px 14px; border: 1px solid var(--line);
  border-radius: 99px; background: var(--paper); font-size: 14px; }
.retry:hover { border-color: var(--accent); }
.retry svg { width: 16px; height: 16px; }

.composer { display: flex; align-items: flex-end; gap: 6px; margin: 10px 14px 0; padding: 5px 5px 5px 14px; border: 1px solid var(--line);
  border-radius: 16px; background: var(--paper); }
.composer:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
textarea { flex: 1; min-width: 0; max-height: 132px; padding: 7px 0; border: 0; outline: 0; background: none; line-height: 1.45; resize: none; }
textarea:focus-visible { outline: 0; }
textarea::placeholder { color: var(--muted); opacity: 1; }
.send { display: grid; place-items: center; flex: none; width: 36px; height: 36px; padding: 0; border: 0; border-radius: 12px;
  background: var(--accent); color: var(--on-accent); }
.send[aria-label="Stop"] svg { fill: currentColor; }
.send[disabled] { background: var(--raised); color: var(--muted); cursor: default; }
.note { margin: 8px 20px 12px; color: var(--muted); font-size: 12px; line-height: 1.4; text-align: center; }

@media (max-width: 480px) {
  .root { right: 16px; bottom: 16px; }
  :host([open]) .launcher { display: none; }
  .panel { inset: 0; width: auto; height: 100vh; height: 100dvh; border: 0; border-radius: 0; }
  textarea { font-size: 16px; }
}
@media (prefers-reduced-motion: no-preference) {
  .launcher, .chip, .icon, .send, .retry { transition: background-color .15s, border-color .15s, color .15s, transform .15s; }
  .launcher:hover { transform: scale(1.05); }
  .panel { animation: rise .18s ease-out; }
  .status::before { animation: pulse 1.1s ease-in-out infinite alternate; }
}
@keyframes rise { from { opacity: 0; transform: translateY(10px); } }
@keyframes pulse { from { opacity: .25; transform: scale(.75); } }
`;

  /** Return an element. A text child becomes a text node, so no data is ever read as HTML. */
  function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  function icon(name) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    for (const d of ICONS[name]) {
      const path = document.createElementNS(space, "path");
      path.setAttribute("d", d);
      svg.append(path);
    }
    return svg;
  }

  function button(kind, iconName, label, action) {
    const node = relabel(el("button", { type: "button", class: kind }), iconName, label);
    node.addEventListener("click", action);
    return node;
  }

  function relabel(node, iconName, label) {
    node.replaceChildren(icon(iconName));
    node.setAttribute("aria-label", label);
    node.setAttribute("title", label);
    return node;
  }

  /** Return the address if a visitor may be sent there, else null. */
  function webAddress(text) {
    let url;
    try {
      url = new URL(text);
    } catch {
      return null;
    }
    const isPlain = !url.username && !url.password;
    return isPlain && (url.protocol === "https:" || url.protocol === "http:") ? url.href : null;
  }

  function link(address, attributes, ...children) {
    const safe = { href: address, target: "_blank", rel: "noopener noreferrer nofollow" };
    return el("a", { ...attributes, ...safe }, ...children);
  }

  // ------------------------------------------------------------------ Markdown, as DOM nodes

  const INLINE = new RegExp(
    [
      "(?<code>`+)(?<inCode>.+?)\\k<code>",
      "\\*\\*(?<bold>.+?)\\*\\*",
      "\\*(?<italic>[^*\\s][^*]*)\\*",
      "\\[(?<mark>\\d{1,2})\\](?!\\()",
      "\\[(?<label>[^\\]]+)\\]\\((?<target>[^\\s)]+)\\)",
      "<?(?<address>https?:\\/\\/[^\\s<>\"]*[^\\s<>\".,;:!?)\\]'])>?",
      "\\\\(?<escaped>[!-\\/:-@[-`{-~])",
      "&(?<entity>amp|lt|gt|quot|nbsp|#39);",
    ].join("|"),
    "gs",
  );
  const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: "\u00a0", "#39": "'" };
  const FENCE = /^\s*(```+(?!.*`)|~~~+)/;
  const HEADING = /^#{1,6}\s+(.*?)\s*#*$/;
  const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
  const QUOTE = /^(\s{0,3}>\s?)+/; // a quote within a quote is shown as one
  const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;
  const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

  /** Append the text's Markdown to a parent. `cite(number)` returns the node of a mark. */
  function renderBlocks(parent, lines, cite) {
    let at = 0;
    const take = (test) => {
      const start = at;
      while (at < lines.length && test(lines[at], at - start)) at += 1;
      return lines.slice(start, at);
    };
    while (at < lines.length) {
      const line = lines[at];
      if (!line.trim() || RULE.test(line)) at += 1;
      else if (FENCE.test(line)) parent.append(codeBlock(take, line));
      else if (HEADING.test(line)) {
        parent.append(inline(el("h3"), HEADING.exec(line)[1], cite));
        at += 1;
      } else if (QUOTE.test(line)) {
        const inner = take((one) => QUOTE.test(one)).map((one) => one.replace(QUOTE, ""));
        parent.append(renderBlocks(el("blockquote"), inner, cite));
      } else if (ITEM.test(line)) {
        parent.append(list(take((one, index) => index === 0 || isListLine(one)), cite));
      } else if (isTable(lines, at)) {
        parent.append(table(take((one) => one.includes("|")), cite));
      } else {
        const text = take((one, index) => one.trim() && (index === 0 || !startsBlock(one))).join("\n");
        parent.append(inline(el("p"), text, cite));
      }
    }
    return parent;
  }

  function startsBlock(line) {
    return FENCE.test(line) || HEADING.test(line) || QUOTE.test(line) || ITEM.test(line);
  }

  function isListLine(line) {
    return ITEM.test(line) || /^\s{2,}\S/.test(line);
  }

  function isTable(lines, at) {
    return lines[at].includes("|") && at + 1 < lines.length && TABLE_RULE.test(lines[at + 1]);
  }

  function codeBlock(take, opening) {
    const fence = FENCE.exec(opening)[1];
    let isOpen = true;
    const lines = take((one, index) => {
      const wasOpen = isOpen;
      if (index > 0 && one.trim().startsWith(fence)) isOpen = false;
      return wasOpen;
    });
    return el("pre", { tabindex: "0" }, el("code", {}, lines.slice(1, isOpen ? undefined : -1).join("\n")));
  }

  /** Build a list; lines that are indented deeper than its first item belong to the item above. */
  function list(lines, cite) {
    const [, indent, bullet] = ITEM.exec(lines[0]);
    const isOrdered = /\d/.test(bullet);
    const node = el(isOrdered ? "ol" : "ul", isOrdered ? { start: String(parseInt(bullet, 10)) } : {});
    let item = null;
    for (const line of lines) {
      const match = ITEM.exec(line);
      if (match && match[1].length <= indent.length + 1) node.append((item = { node: el("li"), lines: [] }).node);
      item.lines.push(item.lines.length ? line.slice(Math.min(line.search(/\S/), indent.length + 2)) : match[3]);
      item.node.replaceChildren();
      const nested = item.lines.findIndex((one, index) => index > 0 && ITEM.test(one));
      const own = nested < 0 ? item.lines : item.lines.slice(0, nested);
      inline(item.node, own.join("\n"), cite);
      if (nested > 0) item.node.append(list(item.lines.slice(nested), cite));
    }
    return node;
  }

  function table(lines, cite) {
    const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
    const row = (line, tag) => el("tr", {}, ...cells(line).map((cell) => inline(el(tag), cell, cite)));
    const body = lines.slice(2).map((line) => row(line, "td"));
    return el("div", { class: "wide", tabindex: "0" },
      el("table", {}, el("thead", {}, row(lines[0], "th")), el("tbody", {}, ...body)));
  }

  function inline(parent, text, cite) {
    let at = 0;
    for (const match of text.matchAll(INLINE)) {
      const before = text.slice(at, match.index);
      // a mark never starts a line: it belongs to the sentence before it
      parent.append(match.groups.mark ? before.replace(/ $/, "\u00a0") : before);
      parent.append(inlineNode(match.groups, match[0], cite));
      at = match.index + match[0].length;
    }
    parent.append(text.slice(at));
    return parent;
  }

  function inlineNode(found, whole, cite) {
    if (found.code) return el("code", {}, found.inCode);
    if (found.bold) return inline(el("strong"), found.bold, cite);
    if (found.italic) return inline(el("em"), found.italic, cite);
    if (found.mark) return cite(Number(found.mark)) ?? whole;
    if (found.escaped) return found.escaped;
    if (found.entity) return ENTITIES[found.entity];
    const address = webAddress(found.target ?? found.address);
    const label = found.label ?? found.address;
    return address ? link(address, {}, label) : label;
  }

  // ------------------------------------------------------------------ the wire

  /** Yield {name, data} of each server-sent event, however the bytes are cut. */
  async function* readEvents(body, onBytes) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let buffer = "";
    let name = "";
    let data = [];
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      onBytes();
      buffer += decoder.decode(value, { stream: true });
      let end;
      while ((end = /\r\n|\n|\r(?!$)/.exec(buffer))) {
        const line = buffer.slice(0, end.index);
        buffer = buffer.slice(end.index + end[0].length);
        if (line === "") {
          if (data.length) yield { name, data: JSON.parse(data.join("\n")) };
          name = "";
          data = [];
        } else if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
    }
  }

  const UNREACHABLE = "We could not be reached. Please check your connection and try again.";

  /** What went wrong, in words for the visitor. */
  class Failure extends Error {}

  async function failureOf(response) {
    const seconds = Number(response.headers.get("Retry-After"));
    if (response.status === 429) return new Failure(`That was a lot of questions. Please try again in ${seconds || 60} seconds.`);
    if (response.status === 401 || response.status === 403) return new Failure("This chat is not set up for this page yet. Please tell the owner of the site.");
    const problem = await response.json().catch(() => ({}));
    if (problem.reference) return new Failure(`Something went wrong on our side. If it stays, tell us this reference: ${problem.reference}`);
    return new Failure("The question could not be answered right now. Please try again.");
  }

  /** The HTTP API of one bot. */
  class Api {
    constructor(endpoint, key) {
      this.endpoint = endpoint.replace(/\/+$/, "");
      this.key = key;
    }

    post(path, body, options = {}) {
      const headers = { "Content-Type": "application/json", ...options.headers };
      if (this.key) headers["X-Widget-Key"] = this.key;
      return fetch(this.endpoint + path, {
        method: "POST", body: JSON.stringify(body), credentials: "omit", ...options, headers,
      });
    }

    /** Ask, call `on` with each event, and return the answer; raise a Failure otherwise. */
    async ask(question, conversation, on, controller) {
      let timer;
      const alive = () => {
        clearTimeout(timer);
        timer = setTimeout(() => controller.abort(new Failure(UNREACHABLE)), SILENCE_MS);
      };
      alive();
      try {
        const body = conversation ? { question, conversation_id: conversation } : { question };
        const options = { headers: { Accept: "text/event-stream" }, signal: controller.signal };
        const response = await this.post("/v1/answers", body, options);
        if (!response.ok) throw await failureOf(response);
        for await (const { name, data } of readEvents(response.body, alive)) {
          if (name === "answer") return data;
          if (name === "error") throw new Failure(`${data.message} (${data.reference})`);
          on(name, data);
        }
        throw new Failure("The connection broke before the answer was complete.");
      } finally {
        clearTimeout(timer);
      }
    }
  }

  // ------------------------------------------------------------------ what is kept in this tab

  class Memory {
    constructor(name) {
      this.name = `supportbot ${name}`;
      this.clear();
      try {
        const kept = JSON.parse(sessionStorage.getItem(this.name));
        if (kept) Object.assign(this, { conversation: kept.conversation, turns: kept.turns, isOpen: kept.isOpen });
      } catch {
        // storage is blocked or unreadable: the conversation lives as long as the page
      }
    }

    clear() {
      this.conversation = null;
      this.turns = [];
      this.isOpen = null;
    }

    save() {
      const { conversation, isOpen } = this;
      try {
        const turns = this.turns.slice(-KEPT_TURNS);
        sessionStorage.setItem(this.name, JSON.stringify({ conversation, turns, isOpen }));
      } catch {
        // as above
      }
    }
  }

  // ------------------------------------------------------------------ one question with its answer

  class Turn {
    constructor(widget, question) {
      this.widget = widget;
      this.question = question;
      this.shown = "";
      this.status = el("p", { class: "status" }, STAGES.searching);
      this.text = el("div", { class: "text", dir: "auto" });
      this.after = el("div");
      this.answer = el("div", { class: "answer" }, this.text, this.status, this.after);
      const asked = el("p", { class: "question", dir: "auto" }, el("span", { class: "quiet" }, "You asked: "), question);
      this.node = el("div", { class: "turn" }, asked, this.answer);
    }

    on(name, data) {
      if (name === "status") {
        this.status.textContent = STAGES[data.stage] ?? STAGES.searching;
        this.widget.announce(this.status.textContent);
      } else if (name === "text") {
        this.shown += data.delta;
        this.render(this.shown, []);
      }
    }

    render(text, citations) {
      const byNumber = new Map(citations.map((citation) => [citation.number, citation]));
      const cite = (number) => mark(number, byNumber.get(number));
      this.text.replaceChildren();
      renderBlocks(this.text, text.split(/\r\n|\n/), cite);
    }

    finish(answer) {
      this.status.hidden = true;
      this.answer.classList.add(answer.outcome);
      this.render(answer.text, answer.citations);
      if (LABELS[answer.outcome]) this.text.before(el("p", { class: "label" }, LABELS[answer.outcome]));
      if (answer.citations.length) this.after.append(sources(answer.citations));
      if (answer.outcome === "unavailable") this.after.append(this.retryButton());
      else this.after.append(this.feedback(answer.id));
    }

    fail(message) {
      this.status.hidden = true;
      this.after.append(el("p", { class: "failure" }, message), this.retryButton());
    }

    retryButton() {
      const node = el("button", { type: "button", class: "retry" }, icon("retry"), "Try again");
      node.addEventListener("click", () => this.widget.retry(this));
      return node;
    }

    feedback(answerId) {
      const said = el("span", { role: "status" });
      const up = button("icon", "up", "Helpful", () => rate("up"));
      const down = button("icon", "down", "Not helpful", () => rate("down"));
      const report = button("icon", "flag", "Report this answer", () => rate("down", "reported"));
      const press = (rating, reason) => {
        up.setAttribute("aria-pressed", String(rating === "up"));
        down.setAttribute("aria-pressed", String(rating === "down"));
        report.setAttribute("aria-pressed", String(reason === "reported"));
      };
      const rate = async (rating, reason = "") => {
        press(rating, reason);
        const isKept = await this.widget.rate(answerId, rating, reason);
        const thanks = reason ? "Reported." : "Thank you.";
        said.textContent = isKept ? thanks : "That could not be saved.";
      };
      press();
      return el("div", { class: "foot" }, "Was this helpful?", up, down, report, said);
    }
  }

  function mark(number, citation) {
    const address = citation && webAddress(citation.link);
    if (!address) return el("span", { class: "mark" }, String(number));
    const name = `Source ${number}: ${citation.title}`;
    return link(address, { class: "mark", "aria-label": name, title: citation.title }, String(number));
  }

  function sources(citations) {
    const items = citations.map((citation) => {
      const address = webAddress(citation.link);
      const name = citation.title || citation.document_id;
      const title = address ? link(address, {}, name) : el("b", {}, name);
      const place = citation.heading && citation.heading !== name ? el("span", { class: "place" }, ` › ${citation.heading}`) : null;
      return el("li", { class: "source" },
        el("span", { class: "mark", "aria-hidden": "true" }, String(citation.number)),
        el("div", { dir: "auto" }, title, place),
        citation.quote ? el("blockquote", { dir: "auto" }, citation.quote) : null);
    });
    return el("section", { class: "sources", "aria-label": "Sources" }, el("h3", {}, "Sources"), el("ol", {}, ...items));
  }

  // ------------------------------------------------------------------ the element

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  const script = document.currentScript ?? document.querySelector('script[src$="/widget.js"]');
  const home = script ? new URL(script.src).origin : location.origin;

  class SupportWidget extends HTMLElement {
    connectedCallback() {
      if (this.shadowRoot) return;
      this.api = new Api(this.getAttribute("endpoint") ?? home, this.getAttribute("key") ?? "");
      this.memory = new Memory(`${this.api.endpoint} ${this.api.key}`);
      this.heading = this.getAttribute("title") || "Ask us anything";
      this.removeAttribute("title"); // a browser would show it as a tooltip over the whole widget
      this.build();
      this.restore();
      const opens = this.memory.isOpen ?? (this.hasAttribute("open") && !isPhone());
      this.toggleAttribute("open", false);
      if (opens) this.show(false);
    }

    disconnectedCallback() {
      this.stop();
    }

    build() {
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      this.launcher = button("launcher", "chat", "Open the chat", () => (this.panel.hidden ? this.show() : this.hide()));
      this.status = el("div", { class: "quiet", role: "status" });
      this.log = el("div", { class: "log", role: "log", "aria-live": "off", "aria-label": "Conversation", tabindex: "0" });
      this.panel = el("div", { class: "panel", role: "dialog", "aria-labelledby": "title", tabindex: "-1" },
        this.buildHead(), this.log, this.buildComposer(),
        el("p", { class: "note" }, "Every answer is checked against its sources."), this.status);
      this.panel.hidden = true;
      this.panel.addEventListener("keydown", (event) => this.onKey(event));
      root.append(el("div", { class: "root" }, this.panel, this.launcher));
    }

    buildHead() {
      const names = el("div", {}, el("h2", { class: "title", id: "title" }, this.heading),
        el("p", { class: "subtitle" }, "Answers from our help articles"));
      return el("header", { class: "head" }, el("span", { class: "logo" }, icon("chat")), names,
        button("icon", "fresh", "New conversation", () => this.startAgain()),
        button("icon", "close", "Close the chat", () => this.hide()));
    }

    buildComposer() {
      this.input = el("textarea", { rows: "1", maxlength: String(MAX_QUESTION), placeholder: "Ask a question…",
        "aria-label": "Your question", enterkeyhint: "send", dir: "auto" });
      this.input.addEventListener("input", () => this.onInput());
      this.send = button("send", "send", "Send", () => this.controller ? this.stop() : this.submit());
      this.send.disabled = true;
      return el("div", { class: "composer" }, this.input, this.send);
    }

    onInput() {
      this.send.disabled = !this.controller && !this.input.value.trim();
      this.input.rows = 1;
      const line = 22;
      this.input.rows = Math.max(1, Math.min(5, Math.floor((this.input.scrollHeight - 14) / line)));
    }

    onKey(event) {
      event.stopPropagation(); // shortcuts of the page are not meant
      if (event.key === "Escape") this.hide();
      else if (event.key === "Tab") this.keepFocus(event);
      else if (event.key === "Enter" && event.target === this.input && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        if (!this.controller) this.submit();
      }
    }

    /** Where the panel covers the page, Tab stays inside it. */
    keepFocus(event) {
      if (!isPhone()) return;
      const stops = [...this.panel.querySelectorAll("a, button, textarea, [tabindex='0']")].filter((one) => !one.disabled);
      const [first, last] = [stops[0], stops.at(-1)];
      const active = this.shadowRoot.activeElement;
      if (event.shiftKey ? active === first || active === this.panel : active === last) {
        event.preventDefault();
        (event.shiftKey ? last : first).focus();
      }
    }

    show(takesFocus = true) {
      this.panel.hidden = false;
      this.toggleAttribute("open", true);
      relabel(this.launcher, "close", "Close the chat");
      this.launcher.setAttribute("aria-expanded", "true");
      this.remember(true);
      this.log.scrollTop = this.log.scrollHeight;
      if (takesFocus) (matchMedia("(pointer: coarse)").matches ? this.panel : this.input).focus();
    }

    hide() {
      this.panel.hidden = true;
      this.toggleAttribute("open", false);
      relabel(this.launcher, "chat", "Open the chat");
      this.launcher.setAttribute("aria-expanded", "false");
      this.remember(false);
      this.launcher.focus();
    }

    remember(isOpen) {
      this.memory.isOpen = isOpen;
      this.memory.save();
    }

    restore() {
      this.log.replaceChildren(el("p", { class: "hello" }, "Hello! What would you like to know?"));
      const questions = (this.getAttribute("suggestions") ?? "").split("|").filter((one) => one.trim());
      if (questions.length && !this.memory.turns.length) this.log.append(this.chips(questions));
      for (const { question, answer } of this.memory.turns) {
        const turn = new Turn(this, question);
        turn.finish(answer);
        this.log.append(turn.node);
      }
    }

    chips(questions) {
      const items = questions.map((question) => {
        const chip = el("button", { type: "button", class: "chip" }, question);
        chip.addEventListener("click", () => this.controller || this.ask(question));
        return el("li", {}, chip);
      });
      return el("ul", { class: "chips", "aria-label": "Suggestions" }, ...items);
    }

    stop() {
      this.controller?.abort(new Failure("Stopped before the answer was complete."));
    }

    startAgain() {
      this.stop();
      const { isOpen } = this.memory;
      this.memory.clear();
      this.remember(isOpen);
      this.restore();
      this.announce("New conversation");
      this.input.focus();
    }

    submit() {
      const question = this.input.value.trim();
      if (!question) return;
      this.input.value = "";
      this.onInput();
      this.ask(question);
    }

    retry(turn) {
      if (this.controller) return;
      turn.node.remove();
      this.memory.turns = this.memory.turns.filter((one) => one !== turn.kept);
      this.input.focus();
      this.ask(turn.question);
    }

    async ask(question) {
      const controller = this.begin();
      const turn = new Turn(this, question);
      this.shadowRoot.querySelector(".chips")?.remove();
      this.log.append(turn.node);
      this.follow(turn);
      const on = (name, data) => {
        turn.on(name, data);
        this.follow(turn);
      };
      try {
        const answer = await this.api.ask(question, this.memory.conversation, on, controller);
        if (turn.node.isConnected) this.keep(turn, question, answer);
      } catch (error) {
        if (!turn.node.isConnected) return; // a new conversation was started meanwhile
        turn.fail(words(controller.signal.aborted ? controller.signal.reason : error));
        this.announce(turn.after.textContent);
      } finally {
        this.end(controller);
      }
      this.follow(turn);
    }

    begin() {
      this.controller = new AbortController();
      this.send.disabled = false;
      relabel(this.send, "stop", "Stop");
      return this.controller;
    }

    end(controller) {
      if (this.controller !== controller) return;
      this.controller = null;
      relabel(this.send, "send", "Send");
      this.onInput();
    }

    keep(turn, question, answer) {
      turn.finish(answer);
      turn.kept = { question, answer };
      this.memory.conversation = answer.conversation_id;
      this.memory.turns.push(turn.kept);
      this.memory.save();
      this.announce(`Answer: ${turn.text.textContent}`);
    }

    async rate(answerId, rating, reason) {
      try {
        const response = await this.api.post("/v1/feedback", { answer_id: answerId, rating, reason });
        return response.ok;
      } catch {
        return false;
      }
    }

    /** Scroll with the answer, but never its question out of sight. */
    follow(turn) {
      const end = this.log.scrollHeight - this.log.clientHeight;
      this.log.scrollTop = Math.min(end, turn.node.offsetTop - this.log.offsetTop - 16);
    }

    announce(text) {
      this.status.textContent = text;
    }
  }

  /** On a phone the open panel covers the page. */
  function isPhone() {
    return matchMedia("(max-width: 480px)").matches;
  }

  function words(error) {
    return error instanceof Failure ? error.message : UNREACHABLE;
  }

  customElements.define("support-widget", SupportWidget);

  if (document.currentScript) {
    const { dataset } = document.currentScript;
    const add = () => {
      if (document.querySelector("support-widget")) return;
      const names = ["endpoint", "key", "title", "suggestions", "open"].filter((name) => name in dataset);
      document.body.append(el("support-widget", Object.fromEntries(names.map((name) => [name, dataset[name]]))));
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", add);
    else add();
  }
})();
