// The official packages with virtual keys, each in the way that its own users
// give it a key: what passes, and what a refusal is to their code.
//
//     keys.mjs <base URL> <openai | anthropic | genai> <JSON: role -> secret>

import { run } from "./run.mjs";

const [, , baseURL, name, secrets] = process.argv;
const keys = JSON.parse(secrets);
const messages = [{ role: "user", content: "one two three four" }];

async function openai() {
    const { default: OpenAI } = await import("openai");
    const model = "gpt-4o-mini";
    const plan = { model, messages, max_tokens: 8 };

    return apiKey => {
        const client = new OpenAI({ baseURL: baseURL + "/v1", apiKey });

        return {
            async plain() {
                const r = await client.chat.completions.create(plan);
                return r.choices[0].message.content;
            },

            async stream() {
                let text = "";
                const stream = await client.chat.completions.create({
                    ...plan, stream: true });
                for await (const chunk of stream) {
                    text += chunk.choices[0].delta.content ?? "";
                }
                return text;
            },

            told: e => ({ type: e.type, code: e.code, message: e.message,
                          own: e instanceof OpenAI.APIError }),
        };
    };
}

async function anthropic() {
    const { default: Anthropic } = await import("@anthropic-ai/sdk");
    const plan = { model: "claude-sonnet-4-5", max_tokens: 8, messages };

    return apiKey => {
        const client = new Anthropic({ baseURL, apiKey });

        return {
            async plain() {
                const r = await client.messages.create(plan);
                return r.content[0].text;
            },

            async stream() {
                const final = await client.messages.stream(plan)
                                          .finalMessage();
                return final.content[0].text;
            },

            told: e => ({ type: e.error?.error?.type,
                          message: e.error?.error?.message,
                          own: e instanceof Anthropic.APIError }),
        };
    };
}

async function genai() {
    const { GoogleGenAI, ApiError } = await import("@google/genai");
    const plan = { model: "gemini-2.5-flash", config: { maxOutputTokens: 8 },
                   contents: "one two three four" };

    return (apiKey, retries) => {
        // without retryOptions this package makes one attempt
        const retryOptions = retries && { attempts: 3, initialDelay: 1 };
        const client = new GoogleGenAI({ apiKey, httpOptions: {
            baseUrl: baseURL, retryOptions } });

        return {
            async plain() {
                const r = await client.models.generateContent(plan);
                return r.text;
            },

            async stream() {
                let text = "";
                const stream = await client.models.generateContentStream(
                    plan);
                for await (const chunk of stream) text += chunk.text;
                return text;
            },

            told: e => {
                const error = JSON.parse(e.message).error;
                return { type: error.status,
                         code: error.details[0].reason,
                         message: error.message,
                         own: e instanceof ApiError };
            },
        };
    };
}

const as = await { openai, anthropic, genai }[name]();

// What the caller's code catches, and how long it was kept from it.
async function refusal(client, call) {
    const began = Date.now();

    try {
        return { passed: await client[call]() };
    } catch (e) {
        return { name: e.constructor.name, status: e.status,
                 after: e.headers?.get("retry-after"),
                 waited: Date.now() - began, ...client.told(e) };
    }
}

await run({
    plain: () => as(keys.good).plain(),
    stream: () => as(keys.good).stream(),
    unknown: () => refusal(as("sk-tg-nobodys-0123456789abcdef"), "plain"),
    unknown_stream: () => refusal(as("sk-tg-nobodys-0123456789abcdef"),
                                  "stream"),
    model: () => refusal(as(keys.model), "plain"),

    async spent() {
        await as(keys.spent).plain();
        return refusal(as(keys.spent), "plain");
    },

    async spent_stream() {
        return refusal(as(keys.spent), "stream");
    },

    // today's are used up: it is not for an SDK to wait for tomorrow
    async today() {
        await as(keys.today).plain();
        return refusal(as(keys.today), "plain");
    },

    // one a second: the package's own retries make all of them pass
    async fast() {
        const client = as(keys.fast, true), texts = [];

        for (let i = 0; i < 4; i++) {
            texts.push(await client[i % 2 ? "stream" : "plain"]());
        }

        return texts;
    },
});
