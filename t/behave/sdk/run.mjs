// Runs steps one after the other and prints what each returned, as JSON.

export async function run(steps) {
    const results = {};

    for (const [name, step] of Object.entries(steps)) {
        try {
            results[name] = await step();
        } catch (e) {
            results[name] = "failed: " + (e.stack ?? e);
        }
    }

    console.log(JSON.stringify(results));
}

// How the package itself names what went wrong, for each status.
export function failing(sdk, call) {
    return async () => {
        const seen = {};

        for (const status of [400, 401, 404, 429, 500]) {
            try {
                await call(status);
                seen[status] = "no error";
            } catch (e) {
                seen[status] = e instanceof sdk.APIError
                    ? [e.constructor.name, e.status] : "not its own: " + e;
            }
        }

        return seen;
    };
}
