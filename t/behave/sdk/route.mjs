// What both packages' conversations with the other's provider are made of.

export const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    + "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
export const PICTURE = "https://example.com/pictures/cat.png?size=1";

export const CITY = { type: "object", properties: { city: { type: "string" } },
                      required: ["city"], additionalProperties: false };
export const REPORT = {
    type: "object", required: ["city", "days"], additionalProperties: false,
    properties: {
        city: { type: "string" },
        days: { type: "array", items: {
            type: "object", required: ["sunny", "degrees"],
            additionalProperties: false,
            properties: { sunny: { type: "boolean" },
                          degrees: { type: "number" } } } },
    },
};

// How the fake is to answer this call.
export const as = knobs => ({ headers: { "x-fake": JSON.stringify(knobs) } });

// The package's own fetch, with each answer's head noted.
export function noting(heads) {
    return async (url, init) => {
        const r = await fetch(url, init);
        const of = name => r.headers.get(name);

        heads.push({ status: r.status, route: of("x-llm-route"),
                     target: of("x-llm-target"),
                     type: of("content-type").split(";")[0] });
        return r;
    };
}

// What the caller's code catches, and how long it was kept from it.
export async function caught(sdk, call) {
    const began = Date.now();

    try {
        await call();
        return "no error";
    } catch (e) {
        return { own: e instanceof sdk.APIError, name: e.constructor.name,
                 status: e.status, message: e.message, type: e.type,
                 after: e.headers?.get("retry-after") ?? null,
                 waited: Date.now() - began };
    }
}

// The other provider's errors, each as an answer and in the place of a stream.
export function errors(sdk, call) {
    return async () => {
        const seen = {};

        for (const status of [400, 401, 403, 404, 413, 429, 500, 529]) {
            for (const stream of [false, true]) {
                seen[status + (stream ? " stream" : "")] = await caught(
                    sdk, () => call({ stream }, as({ status })));
            }
        }

        return seen;
    };
}
