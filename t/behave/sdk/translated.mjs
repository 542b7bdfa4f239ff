// Translations of recorded answers, read by the official packages as if a server
// had sent them; what they make of each is compared with the original, as read
// here by rules of its own.
//
//     translated.mjs <directory of corpus-translate --out> <corpus>
//
// Prints each difference; last comes "corpus read by SDKs: N/M alike".

import fs from "node:fs";
import path from "node:path";
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";

const [, , dir, corpus] = process.argv;
const PIECE = 1000;

// A Response of these bytes, in pieces.
function answer(file, status, type) {
    const bytes = fs.readFileSync(file);
    const body = new ReadableStream({
        start(controller) {
            for (let i = 0; i < bytes.length; i += PIECE)
                controller.enqueue(bytes.subarray(i, i + PIECE));
            controller.close();
        },
    });

    return async () => new Response(body, {
        status, headers: { "content-type": type } });
}

const readers = {
    async openai(fetch, stream) {
        const client = new OpenAI({ apiKey: "none", maxRetries: 0, fetch });
        const plan = { model: "m", messages: [] };
        const r = stream
            ? await client.chat.completions.stream(plan)
                          .finalChatCompletion()
            : await client.chat.completions.create(plan);

        return r.choices.map(({ message: m, finish_reason: stop }) => ({
            text: m.content ?? "", stop, refusal: m.refusal ?? "",
            tools: (m.tool_calls ?? []).map(t => ({
                name: t.function.name, input: t.function.arguments })),
        }));
    },

    async anthropic(fetch, stream) {
        const client = new Anthropic({ apiKey: "none", maxRetries: 0, fetch });
        const plan = { model: "m", max_tokens: 1, messages: [] };
        const r = stream ? await client.messages.stream(plan).finalMessage()
                         : await client.messages.create(plan);
        const all = (type, name) => r.content.filter(b => b.type === type)
                                             .map(b => b[name]).join("");

        return [{
            text: all("text", "text"), stop: r.stop_reason,
            reasoning: all("thinking", "thinking"),
            tools: r.content.filter(b => b.type === "tool_use").map(b => ({
                name: b.name, input: JSON.stringify(b.input) })),
        }];
    },
};

// The originals.

function documents(body, type) {
    if (type.startsWith("text/event-stream") || /^(data|event|id|:)/.test(body))
        return body.split(/\r?\n\r?\n/)
            .map(e => e.split(/\r?\n/).filter(l => l.startsWith("data:"))
                       .map(l => l.slice(5)).join("\n").trim())
            .filter(d => d && d !== "[DONE]").map(d => JSON.parse(d));

    const whole = JSON.parse(body);
    return Array.isArray(whole) ? whole : [whole];
}

const blank = () => ({ text: "", reasoning: "", refusal: "", tools: [] });
const at = (list, i) => (list[i] ??= blank());

const originals = {
    openai(docs) {
        const list = [];
        for (const d of docs) for (const c of d.choices ?? []) {
            const to = at(list, c.index ?? 0);
            const m = c.delta ?? c.message ?? {};
            for (const p of [m.content ?? []].flat()) {
                if (typeof p === "string") to.text += p;
                else if (p.type === "text") to.text += p.text;
                else if (p.type === "thinking")
                    for (const t of p.thinking) to.reasoning += t.text ?? "";
            }
            to.reasoning += m.reasoning_content || m.reasoning
                || (m.reasoning_details ?? []).map(r => r.text ?? r.summary
                                                        ?? "").join("");
            to.refusal += m.refusal ?? "";
            for (const t of m.tool_calls ?? []) {
                const f = t.function ?? {};
                if (f.name && (t.id || !to.tools.length || c.message)
                    && to.tools.at(-1)?.id !== t.id)
                    to.tools.push({ id: t.id, name: f.name, input: "" });
                to.tools.at(-1).input += typeof f.arguments === "object"
                    && f.arguments ? JSON.stringify(f.arguments)
                                   : f.arguments ?? "";
            }
        }
        return list;
    },

    anthropic(docs) {
        const to = blank();
        const block = b => {
            if (b.type === "text") to.text += b.text;
            if (b.type === "thinking") to.reasoning += b.thinking;
            if (b.type === "tool_use")
                to.tools.push({ name: b.name, input:
                    Object.keys(b.input).length ? JSON.stringify(b.input)
                                                : "" });
        };
        let type;
        for (const d of docs) {
            for (const b of d.content ?? []) block(b);
            if (d.content_block) block(d.content_block);
            type = d.content_block?.type ?? type;
            to.text += d.delta?.text ?? "";
            to.reasoning += d.delta?.thinking ?? "";
            if (type === "tool_use" && d.delta?.partial_json)
                to.tools.at(-1).input += d.delta.partial_json;
        }
        return [to];
    },

    gemini(docs) {
        const list = [];
        for (const d of docs) {
            if (d.promptFeedback?.blockReason && !list.length)
                at(list, 0).refusal = d.promptFeedback.blockReasonMessage
                    ?? d.promptFeedback.blockReason;
            for (const [i, c] of (d.candidates ?? []).entries()) {
                const to = at(list, c.index ?? i);
                for (const p of c.content?.parts ?? []) {
                    if (p.text)
                        to[p.thought ? "reasoning" : "text"] += p.text;
                    if (p.functionCall)
                        to.tools.push({ name: p.functionCall.name, input:
                            JSON.stringify(p.functionCall.args ?? {}) });
                }
            }
        }
        return list;
    },
};

function original(name) {
    const of = path.join(corpus, "cases", name);
    const type = fs.readFileSync(path.join(of, "response.meta"), "utf8")
                   .match(/^content-type: *(.*)$/mi)?.[1] ?? "";
    const docs = documents(fs.readFileSync(path.join(of, "response.body"),
                                           "utf8"), type);
    const form = docs.some(d => d.candidates || d.promptFeedback) ? "gemini"
        : docs.some(d => d.choices) ? "openai" : "anthropic";

    return originals[form](docs);
}

const value = text => {
    const v = text ? JSON.parse(text) : {};
    const sorted = x => Array.isArray(x) ? x.map(sorted)
        : x && typeof x === "object" ? Object.fromEntries(Object.keys(x).sort()
            .map(k => [k, sorted(x[k])])) : x;
    return JSON.stringify(sorted(v ?? {}));
};

// What differs, or nothing.
function difference(got, want, form) {
    if (got.length !== want.length) return "choices";

    for (const [i, g] of got.entries()) {
        const w = want[i];
        const text = form === "anthropic" ? w.text + w.refusal : w.text;

        if (g.text !== text) return "text";
        if (form === "anthropic" && g.reasoning !== w.reasoning)
            return "reasoning";
        if (form === "openai" && g.refusal !== w.refusal) return "refusal";
        if (!g.stop) return "stop";
        if (g.tools.length !== w.tools.length) return "tools";

        for (const [k, t] of g.tools.entries()) {
            if (t.name !== w.tools[k].name) return "tool's name";
            if (value(t.input) !== value(w.tools[k].input))
                return "tool's input";
        }
    }
}

let alike = 0, all = 0;

for (const file of fs.readdirSync(dir).sort()) {
    const [, name, form, status, end] =
        file.match(/^(.*)\.(openai|anthropic)\.(\d+)\.(json|sse)$/) ?? [];
    if (!name) continue;

    const stream = end === "sse";
    const fetch = answer(path.join(dir, file), Number(status),
        stream ? "text/event-stream" : "application/json");
    const text = fs.readFileSync(path.join(dir, file), "utf8");
    const error = Number(status) >= 400
        || /^(event: error|data: \{"error")/m.test(text);
    const own = { openai: OpenAI, anthropic: Anthropic }[form].APIError;
    let differs;

    try {
        differs = difference(await readers[form](fetch, stream),
                             original(name), form);
        if (error) differs = "an error was not noticed";
    } catch (e) {
        if (!error || !(e instanceof own) || !e.message) differs = e;
        else if (!stream && e.status !== Number(status)) differs = e.status;
    }

    all++;
    if (differs === undefined) alike++;
    else console.log(`MISS ${file}: ${differs}`);
}

console.log(`corpus read by SDKs: ${alike}/${all} alike`);
process.exitCode = all === 0 || alike !== all ? 1 : 0;
