-- What finance asks, of the tables of duckdb.sql:
--
--     duckdb llm.db -cmd "SET VARIABLE month = DATE '2026-11-01'" -f duckdb-questions.sql
--
-- Sums are of nano-dollars; usd is rounded for reading. Days are UTC's.

-- question: which team
SELECT team, sum(d.calls) AS calls, sum(d.nusd) AS nusd, round(sum(d.nusd) / 1e9, 2) AS usd,
       round(100 * sum(d.nusd) / sum(sum(d.nusd)) OVER (), 1) AS percent
FROM llm_daily AS d
WHERE day >= getvariable('month') AND day < getvariable('month') + INTERVAL 1 MONTH
GROUP BY team
ORDER BY nusd DESC, team;

-- question: which feature
SELECT feature, sum(d.calls) AS calls, sum(d.nusd) AS nusd, round(sum(d.nusd) / 1e9, 2) AS usd,
       round(100 * sum(d.nusd) / sum(sum(d.nusd)) OVER (), 1) AS percent
FROM llm_daily AS d
WHERE day >= getvariable('month') AND day < getvariable('month') + INTERVAL 1 MONTH
GROUP BY feature
ORDER BY nusd DESC, feature;

-- question: what does a ticket cost
-- All calls of the sessions in which it came about, whenever they were.
WITH sessions AS (
    SELECT gen_ai_conversation_id AS session, sum(llm_cost_total_nusd) AS nusd
    FROM llm_calls
    WHERE gen_ai_conversation_id IS NOT NULL
    GROUP BY session
), outcomes AS (
    SELECT llm_outcome_name AS outcome, gen_ai_conversation_id AS session, count(*) AS n
    FROM llm_outcomes
    WHERE CAST(timestamp AT TIME ZONE 'UTC' AS DATE) >= getvariable('month')
      AND CAST(timestamp AT TIME ZONE 'UTC' AS DATE) < getvariable('month') + INTERVAL 1 MONTH
    GROUP BY outcome, session
)
SELECT outcome, sum(o.n) AS outcomes, coalesce(sum(s.nusd), 0) AS nusd,
       round(coalesce(sum(s.nusd), 0) / sum(o.n) / 1e9, 4) AS usd_each
FROM outcomes AS o LEFT JOIN sessions AS s USING (session)
GROUP BY outcome
ORDER BY outcome;

-- question: how much by the end of the year
-- The month is the last that is over: its mean day is taken for each day to come.
WITH days AS (
    SELECT sum(CASE WHEN day >= date_trunc('year', getvariable('month')) THEN nusd END) AS spent,
           sum(CASE WHEN day >= getvariable('month') THEN nusd END) AS of_month,
           date_diff('day', getvariable('month'),
                     getvariable('month') + INTERVAL 1 MONTH) AS month_days,
           date_diff('day', getvariable('month') + INTERVAL 1 MONTH,
                     date_trunc('year', getvariable('month')) + INTERVAL 1 YEAR) AS to_come
    FROM llm_daily
    WHERE day < getvariable('month') + INTERVAL 1 MONTH
)
SELECT coalesce(spent, 0) AS spent_nusd, round(coalesce(of_month, 0) / month_days / 1e9, 2) AS usd_a_day,
       to_come AS days_to_come,
       round((coalesce(spent, 0) + coalesce(of_month, 0) / month_days * to_come) / 1e9, 2) AS usd_by_year_end
FROM days;

-- question: which customer loses money
WITH spent AS (
    SELECT customer, sum(d.nusd) AS nusd
    FROM llm_daily AS d
    WHERE day >= getvariable('month') AND day < getvariable('month') + INTERVAL 1 MONTH
    GROUP BY customer
), paid AS (
    SELECT customer, sum(revenue_usd) AS usd
    FROM revenue
    WHERE period >= getvariable('month') AND period < getvariable('month') + INTERVAL 1 MONTH
    GROUP BY customer
)
SELECT customer, coalesce(nusd, 0) AS nusd, coalesce(usd, 0) AS revenue_usd,
       round(coalesce(usd, 0) - coalesce(nusd, 0) / 1e9, 2) AS margin_usd
FROM spent FULL JOIN paid USING (customer)
WHERE customer <> ''
ORDER BY margin_usd, customer;

-- question: what changed
-- Against the month before: by_calls of the difference comes from more or fewer calls,
-- by_cost from what a call costs.
WITH months AS (
    SELECT team, model,
           coalesce(sum(CASE WHEN day < getvariable('month') THEN calls END), 0) AS calls_before,
           coalesce(sum(CASE WHEN day < getvariable('month') THEN nusd END), 0) AS before,
           coalesce(sum(CASE WHEN day >= getvariable('month') THEN calls END), 0) AS calls_now,
           coalesce(sum(CASE WHEN day >= getvariable('month') THEN nusd END), 0) AS now
    FROM llm_daily
    WHERE day >= getvariable('month') - INTERVAL 1 MONTH
      AND day < getvariable('month') + INTERVAL 1 MONTH
    GROUP BY team, model
)
SELECT team, model, before AS nusd_before, now AS nusd_now, now - before AS difference,
       round((CASE WHEN calls_before = 0 THEN now
                   ELSE before / calls_before * (calls_now - calls_before) END) / 1e9, 2) AS by_calls_usd,
       round((CASE WHEN calls_before = 0 THEN 0
                   ELSE now - before / calls_before * calls_now END) / 1e9, 2) AS by_cost_usd
FROM months
ORDER BY abs(difference) DESC, team, model;
