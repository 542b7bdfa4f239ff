// The official @anthropic-ai/sdk package, pointed at baseURL by nothing else.

import Anthropic from "@anthropic-ai/sdk";
import { run, failing } from "./run.mjs";

const client = new Anthropic({ baseURL: process.argv[2], apiKey: "sk-test",
                               maxRetries: 0 });
const messages = [{ role: "user", content: "one two three four" }];
const base = { model: "claude-sonnet-4-5", max_tokens: 64, messages };
const tools = [{ name: "weather", input_schema: {
    type: "object", properties: { city: { type: "string" } } } }];

await run({
    async plain() {
        const r = await client.messages.create(base);
        return [r.content[0].text, r.usage.output_tokens];
    },

    async stream() {
        let text = "";
        const stream = client.messages.stream(base);
        stream.on("text", piece => { text += piece; });
        const final = await stream.finalMessage();
        return [text, final.stop_reason, final.usage.output_tokens];
    },

    async raw_stream() {
        const seen = new Set();
        const stream = await client.messages.create({ ...base,
                                                      stream: true });
        for await (const event of stream) seen.add(event.type);
        return [...seen].sort();
    },

    async tool() {
        const r = await client.messages.create({ ...base, tools });
        const block = r.content[0];
        const next = await client.messages.create({ ...base, tools,
            messages: [...messages, { role: "assistant", content: r.content },
                { role: "user", content: [{ type: "tool_result",
                    tool_use_id: block.id, content: "sunny" }] }] });
        return [block.name, block.input, next.stop_reason];
    },

    async tool_stream() {
        const final = await client.messages.stream({
            ...base, tools }).finalMessage();
        return [final.content[0].name, final.content[0].input];
    },

    async count() {
        const r = await client.messages.countTokens({
            model: base.model, messages });
        return r.input_tokens;
    },

    errors: failing(Anthropic, status => client.messages.create({
        ...base, model: "error-" + status })),

    stream_errors: failing(Anthropic, status => client.messages.create({
        ...base, model: "error-" + status, stream: true })),
});
