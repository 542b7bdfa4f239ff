// The official openai package, whose calls another provider answers.
//
//     route_openai.mjs <base URL> <talk | fail>

import OpenAI from "openai";
import { run } from "./run.mjs";
import { CITY, PICTURE, PNG, REPORT, as, caught, errors,
         noting } from "./route.mjs";

const [, , baseURL, what] = process.argv;
const heads = [];
const client = new OpenAI({ baseURL: baseURL + "/v1", apiKey: "sk-test",
                            maxRetries: 0, fetch: noting(heads) });
const completions = client.chat.completions;
const model = "gpt-4o-mini";
const messages = [{ role: "system", content: "You are brief." }];
const tools = ["weather", "tides"].map(name => ({
    type: "function", function: { name, description: "Of a city",
                                  parameters: CITY, strict: true } }));
const usage = { stream: true, stream_options: { include_usage: true } };

function ask(content, more) {
    messages.push({ role: "user", content });
    return { model, messages, ...more };
}

// What came, which the conversation goes on with as the package gave it.
function heard(r) {
    const { message, finish_reason } = r.choices[0];

    messages.push(message);
    return { text: message.content, stop: finish_reason, model: r.model,
             usage: r.usage, calls: (message.tool_calls ?? []).map(
                 c => [c.function.name, JSON.parse(c.function.arguments)]) };
}

function results() {
    for (const call of messages.at(-1).tool_calls) {
        messages.push({ role: "tool", tool_call_id: call.id,
                        content: "It is fine for " + call.function.name });
    }
    return { model, messages, tools };
}

const talk = {
    plain: async () => heard(await completions.create(
        ask("one two three four"))),

    stream: async () => heard(await completions.stream(
        ask("five six", usage), as({ words: 40 })).finalChatCompletion()),

    // of a stream that does not ask for its usage
    async chunks() {
        const stream = await completions.create(ask("seven",
                                                    { stream: true }));
        const r = { text: "", usage: 0, models: new Set() };

        for await (const chunk of stream) {
            r.text += chunk.choices[0].delta.content ?? "";
            r.usage += "usage" in chunk;
            r.models.add(chunk.model);
            r.stop = chunk.choices[0].finish_reason;
        }

        messages.push({ role: "assistant", content: r.text });
        return { ...r, models: [...r.models] };
    },

    picture: async () => heard(await completions.create(ask([
        { type: "text", text: "what is this" },
        { type: "image_url", image_url: {
            url: "data:image/png;base64," + PNG } }]))),

    pictures: async () => heard(await completions.stream(ask([
        { type: "image_url", image_url: { url: PICTURE, detail: "high" } },
        { type: "text", text: "and this" },
        { type: "image_url", image_url: {
            url: "data:image/png;base64," + PNG } }], usage))
        .finalChatCompletion()),

    calls: async () => heard(await completions.stream(
        ask("and the weather", { ...usage, tools }),
        as({ calls: 2, preface: "let me see" })).finalChatCompletion()),

    answer: async () => heard(await completions.stream({
        ...results(), ...usage }).finalChatCompletion()),

    call: async () => heard(await completions.create(ask("tides again", {
        tools, parallel_tool_calls: true, tool_choice: {
            type: "function", function: { name: "tides" } } }))),

    answer_again: async () => heard(await completions.create(results())),

    // the package's own loop
    async runs() {
        const asked = [];
        const runner = completions.runTools({
            ...ask("once more", usage), tools: tools.map(tool => ({
                ...tool, function: {
                    ...tool.function, parse: JSON.parse,
                    function: args => {
                        asked.push([tool.function.name, args]);
                        return "sunny";
                    },
                } })) }, as({ calls: 2 }));
        const text = await runner.finalContent();

        messages.push({ role: "assistant", content: text });
        return { text, asked, usage: await runner.totalUsage() };
    },

    async schema() {
        const r = await completions.parse(ask("a report", {
            tools, tool_choice: "none", response_format: {
                type: "json_schema", json_schema: {
                    name: "report", strict: true, schema: REPORT } } }));
        return { ...heard(r), parsed: JSON.parse(r.choices[0].message.content) };
    },

    async schema_stream() {
        const r = await completions.stream(ask("another report", {
            ...usage, tools, tool_choice: "none", response_format: {
                type: "json_schema", json_schema: {
                    name: "report", strict: true, schema: REPORT } } }))
            .finalChatCompletion();
        return { ...heard(r), parsed: JSON.parse(r.choices[0].message.content) };
    },

    cut: async () => heard(await completions.create(
        ask("at length", { max_tokens: 3, temperature: 0.5, top_p: 0.9,
                           stop: ["END"] }))),

    counted: async () => heard(await completions.stream(
        ask("at last", usage), as(JSON.parse(process.argv[4])))
        .finalChatCompletion()),

    heads: () => heads,
};

const base = { model, messages: [{ role: "user", content: "one two" }] };
const saying = content => ({ messages: [{ role: "user", content }] });
const refused = {
    n: { n: 2 },
    input_audio: saying([{ type: "input_audio", input_audio: {
        data: "UklGRg==", format: "wav" } }]),
    logprobs: { logprobs: true },
    logit_bias: { logit_bias: { 50256: -100 } },
    file: saying([{ type: "file", file: { file_id: "file-1" } }]),
    no_such_field: { no_such_field: 1 },
    custom: { tools: [{ type: "custom", custom: { name: "x" } }] },
    web_search_options: { web_search_options: {} },
    prefill: { messages: [...base.messages,
                          { role: "assistant", content: "so" }] },
};

const fail = {
    errors: errors(OpenAI, (more, options) =>
        completions.create({ ...base, ...more }, options)),

    async refused() {
        const seen = {};
        for (const [name, more] of Object.entries(refused)) {
            seen[name] = await caught(OpenAI, () => completions.create({
                ...base, ...more }));
        }
        return seen;
    },

    refused_stream: () => caught(OpenAI, () => completions.create({
        ...base, ...refused.no_such_field, stream: true })),

    // the provider says when to come again
    async retries() {
        const began = Date.now();
        const r = await completions.create(base, {
            maxRetries: 2, ...as({ fail_first: { times: 1, status: 429 } }) });
        return [r.choices[0].finish_reason, Date.now() - began];
    },

    async broken() {
        let text = "";
        const end = await caught(OpenAI, async () => {
            const stream = await completions.create(
                { ...base, stream: true }, as({ words: 100, cut: 3000 }));
            for await (const chunk of stream) {
                text += chunk.choices[0].delta.content ?? "";
            }
        });
        return { ...end, text };
    },

    untranslatable: () => caught(OpenAI, () => completions.create(base, as({
        body: process.argv[4] }))),
};

await run(what === "talk" ? talk : fail);
