// The official openai package, pointed at baseURL by nothing else.

import OpenAI from "openai";
import { File } from "node:buffer";
import { run, failing } from "./run.mjs";

globalThis.File ??= File;               // Debian 12's Node 18 has none

const client = new OpenAI({ baseURL: process.argv[2] + "/v1",
                            apiKey: "sk-test", maxRetries: 0 });
const messages = [{ role: "user", content: "one two three four" }];
const model = "gpt-4o-mini";
const parameters = { type: "object", required: ["city"], properties: {
    city: { type: "string" } } };
const tools = [{ type: "function",
                 function: { name: "weather", parameters } }];

await run({
    async plain() {
        const r = await client.chat.completions.create({ model, messages });
        return [r.choices[0].message.content, r.usage.total_tokens];
    },

    // a stream that does not ask for its usage, and must not see it
    async stream() {
        let text = "", chunks = 0, usage = 0;
        const stream = await client.chat.completions.create({
            model, messages, stream: true });
        for await (const chunk of stream) {
            chunks++;
            usage += "usage" in chunk;
            text += chunk.choices[0].delta.content ?? "";
        }
        return [text, chunks, usage];
    },

    async stream_with_usage() {
        let last;
        const stream = await client.chat.completions.create({
            model, messages, stream: true,
            stream_options: { include_usage: true } });
        for await (const chunk of stream) last = chunk;
        return [last.choices.length, last.usage.total_tokens];
    },

    async tool() {
        const r = await client.chat.completions.create({
            model, messages, tools });
        const call = r.choices[0].message.tool_calls[0];
        const next = await client.chat.completions.create({
            model, tools, messages: [...messages, r.choices[0].message,
                { role: "tool", tool_call_id: call.id, content: "sunny" }] });
        return [call.function.name, JSON.parse(call.function.arguments),
                next.choices[0].finish_reason];
    },

    async tool_stream() {
        const stream = client.chat.completions.stream({
            model, messages, tools });
        const final = await stream.finalChatCompletion();
        const call = final.choices[0].message.tool_calls[0];
        return [call.function.name, JSON.parse(call.function.arguments)];
    },

    async responses() {
        const r = await client.responses.create({
            model, input: "one two three four" });
        return [r.output_text, r.usage.total_tokens];
    },

    async responses_stream() {
        let text = "", usage;
        const stream = await client.responses.create({
            model, input: "one two three four", stream: true });
        for await (const event of stream) {
            if (event.type === "response.output_text.delta") {
                text += event.delta;
            }
            usage = event.response?.usage ?? usage;
        }
        return [text, usage.total_tokens];
    },

    async embeddings() {
        const r = await client.embeddings.create({
            model: "text-embedding-3-small", input: "one two" });
        return r.data[0].embedding;
    },

    async transcription() {
        const file = new File([new Uint8Array(100000)], "a.wav");
        const r = await client.audio.transcriptions.create({
            model: "gpt-4o-transcribe", file });
        return r.text;
    },

    async leaves_early() {
        const stream = await client.chat.completions.create({
            model, messages, stream: true }, { headers: {
                "x-fake": JSON.stringify({ words: 100, gate: 10 }) } });
        for await (const chunk of stream) {
            if (chunk.choices[0].delta.content) break;
        }
        return stream.controller.signal.aborted;
    },

    async retries() {
        const r = await client.chat.completions.create({ model, messages }, {
            maxRetries: 2, headers: { "x-fake": JSON.stringify({
                fail_first: { times: 1, status: 429 } }) } });
        return r.choices[0].finish_reason;
    },

    errors: failing(OpenAI, status => client.chat.completions.create({
        model: "error-" + status, messages })),

    stream_errors: failing(OpenAI, status => client.chat.completions.create({
        model: "error-" + status, messages, stream: true })),
});
