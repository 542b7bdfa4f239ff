// The official @google/genai package, pointed at baseUrl by nothing else.

import { GoogleGenAI, ApiError } from "@google/genai";
import { run, failing } from "./run.mjs";

const client = new GoogleGenAI({ apiKey: "test", httpOptions: {
    baseUrl: process.argv[2] } });
const model = "gemini-2.5-flash";
const contents = "one two three four";
const tools = [{ functionDeclarations: [{ name: "weather", parameters: {
    type: "OBJECT", properties: { city: { type: "STRING" } } } }] }];

await run({
    async plain() {
        const r = await client.models.generateContent({ model, contents });
        return [r.text, r.usageMetadata.totalTokenCount];
    },

    async stream() {
        let text = "", usage;
        const stream = await client.models.generateContentStream({
            model, contents });
        for await (const chunk of stream) {
            text += chunk.text;
            usage = chunk.usageMetadata;
        }
        return [text, usage.totalTokenCount];
    },

    async tool() {
        const r = await client.models.generateContent({
            model, contents, config: { tools } });
        const call = r.functionCalls[0];
        return [call.name, call.args];
    },

    async tool_stream() {
        const stream = await client.models.generateContentStream({
            model, contents, config: { tools } });
        for await (const chunk of stream) {
            const call = chunk.functionCalls?.[0];
            if (call) return [call.name, call.args];
        }
    },

    async count() {
        const r = await client.models.countTokens({ model, contents });
        return r.totalTokens;
    },

    async embed() {
        const r = await client.models.embedContent({
            model: "gemini-embedding-001", contents: "one two" });
        return r.embeddings[0].values;
    },

    errors: failing({ APIError: ApiError }, status =>
        client.models.generateContent({ model: "error-" + status,
                                        contents })),
});
