// The official @anthropic-ai/sdk package, whose calls another provider answers.
//
//     route_anthropic.mjs <base URL> <talk | fail>

import Anthropic from "@anthropic-ai/sdk";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { run } from "./run.mjs";
import { CITY, PICTURE, PNG, REPORT, as, caught, errors,
         noting } from "./route.mjs";

const [, , baseURL, what] = process.argv;
const heads = [];
const client = new Anthropic({ baseURL, apiKey: "sk-test", maxRetries: 0,
                               fetch: noting(heads) });
const base = { model: "claude-sonnet-4-5", max_tokens: 64,
               system: "You are brief." };
const messages = [];
const tools = ["weather", "tides"].map(name => ({
    name, description: "Of a city", input_schema: CITY, strict: true }));
const picture = { type: "image", source: {
    type: "base64", media_type: "image/png", data: PNG } };

function ask(content, more) {
    messages.push({ role: "user", content });
    return { ...base, messages, ...more };
}

// What came, which the conversation goes on with as the package gave it.
function heard(r) {
    messages.push({ role: "assistant", content: r.content });
    return { text: r.content.filter(b => b.type === "text")
                            .map(b => b.text).join("") || null,
             stop: r.stop_reason, model: r.model, usage: r.usage,
             calls: r.content.filter(b => b.type === "tool_use")
                             .map(b => [b.name, b.input]) };
}

function results() {
    messages.push({ role: "user", content: messages.at(-1).content
        .filter(b => b.type === "tool_use").map(b => ({
            type: "tool_result", tool_use_id: b.id,
            content: "It is fine for " + b.name })) });
    return { ...base, messages, tools };
}

const talk = {
    plain: async () => heard(await client.messages.create(
        ask("one two three four"))),

    stream: async () => heard(await client.messages.stream(
        ask("five six"), as({ words: 40 })).finalMessage()),

    async chunks() {
        const stream = await client.messages.create(ask("seven",
                                                        { stream: true }));
        const r = { text: "", types: new Set() };

        for await (const event of stream) {
            r.types.add(event.type);
            r.text += event.delta?.text ?? "";
            r.models ??= [event.message.model];
            r.stop = event.delta?.stop_reason ?? r.stop;
        }

        messages.push({ role: "assistant", content: r.text });
        return { ...r, types: [...r.types].sort() };
    },

    picture: async () => heard(await client.messages.create(ask([
        { type: "text", text: "what is this" }, picture]))),

    pictures: async () => heard(await client.messages.stream(ask([
        { type: "image", source: { type: "url", url: PICTURE } },
        { type: "text", text: "and this", cache_control: {
            type: "ephemeral" } }, picture])).finalMessage()),

    calls: async () => heard(await client.messages.stream(
        ask("and the weather", { tools }),
        as({ calls: 2, preface: "let me see" })).finalMessage()),

    answer: async () => heard(await client.messages.stream(
        results()).finalMessage()),

    call: async () => heard(await client.messages.create(ask("tides again", {
        tools, tool_choice: { type: "tool", name: "tides" } }))),

    answer_again: async () => heard(await client.messages.create(results())),

    // the package's own loop
    async runs() {
        const asked = [];
        const runner = client.beta.messages.toolRunner({
            ...ask("once more"), tools: tools.map(tool => betaTool({
                name: tool.name, description: tool.description,
                inputSchema: CITY, run: input => {
                    asked.push([tool.name, input]);
                    return "sunny";
                } })) }, as({ calls: 2 }));
        const final = await runner.runUntilDone();

        return { ...heard(final), asked };
    },

    async schema() {
        const r = await client.messages.parse(ask("a report", {
            tools, tool_choice: { type: "none" }, output_config: {
                format: jsonSchemaOutputFormat(REPORT) } }));
        return { ...heard({ ...r, content: r.content.map(
            ({ type, text }) => ({ type, text })) }),
                 parsed: r.parsed_output };
    },

    async schema_stream() {
        const r = await client.messages.stream(ask("another report", {
            tools, tool_choice: { type: "none" }, output_config: {
                format: { type: "json_schema", schema: REPORT } } }))
            .finalMessage();
        return { ...heard(r), parsed: JSON.parse(r.content[0].text) };
    },

    cut: async () => heard(await client.messages.create(
        ask("at length", { max_tokens: 3, temperature: 0.5, top_p: 0.9,
                           stop_sequences: ["END"] }))),

    counted: async () => heard(await client.messages.stream(
        ask("at last"), as(JSON.parse(process.argv[4]))).finalMessage()),

    heads: () => heads,
};

const saying = content => ({ messages: [{ role: "user", content }] });
const refused = {
    top_k: { top_k: 5 },
    web_search: { tools: [{ type: "web_search_20250305",
                            name: "web_search" }] },
    container: { container: "container_1" },
    no_such_field: { no_such_field: 1 },
    file: saying([{ type: "document", source: { type: "file",
                                                file_id: "file_1" } }]),
    prefill: { messages: [{ role: "user", content: "one" },
                          { role: "assistant", content: "so" }] },
};

const short = { ...base, ...saying("one two") };

const fail = {
    errors: errors(Anthropic, (more, options) =>
        client.messages.create({ ...short, ...more }, options)),

    async refused() {
        const seen = {};
        for (const [name, more] of Object.entries(refused)) {
            seen[name] = await caught(Anthropic, () => client.messages.create({
                ...short, ...more }));
        }
        return seen;
    },

    refused_stream: () => caught(Anthropic, () => client.messages.create({
        ...short, ...refused.no_such_field, stream: true })),

    async retries() {
        const began = Date.now();
        const r = await client.messages.create(short, {
            maxRetries: 2, ...as({ fail_first: { times: 1, status: 429 } }) });
        return [r.stop_reason, Date.now() - began];
    },

    async broken() {
        let text = "";
        const end = await caught(Anthropic, async () => {
            const stream = await client.messages.create(
                { ...short, stream: true }, as({ words: 100, cut: 6000 }));
            for await (const event of stream) {
                text += event.delta?.text ?? "";
            }
        });
        return { ...end, text };
    },

    untranslatable: () => caught(Anthropic, () => client.messages.create(
        short, as({ body: process.argv[4] }))),
};

await run(what === "talk" ? talk : fail);
