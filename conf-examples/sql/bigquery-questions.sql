-- What finance asks, of the tables of bigquery.sql:
--
--     bq query --use_legacy_sql=false --dataset_id=llm --parameter=month:DATE:2026-11-01 \
--         < bigquery-questions.sql
--
-- Sums are of nano-dollars; usd is rounded for reading. Days are UTC's.

-- question: which team
SELECT team, SUM(d.calls) AS calls, SUM(d.nusd) AS nusd, ROUND(SUM(d.nusd) / 1e9, 2) AS usd,
       ROUND(100 * SUM(d.nusd) / SUM(SUM(d.nusd)) OVER (), 1) AS percent
FROM llm_daily AS d
WHERE day >= @month AND day < DATE_ADD(@month, INTERVAL 1 MONTH)
GROUP BY team
ORDER BY nusd DESC, team;

-- question: which feature
SELECT feature, SUM(d.calls) AS calls, SUM(d.nusd) AS nusd, ROUND(SUM(d.nusd) / 1e9, 2) AS usd,
       ROUND(100 * SUM(d.nusd) / SUM(SUM(d.nusd)) OVER (), 1) AS percent
FROM llm_daily AS d
WHERE day >= @month AND day < DATE_ADD(@month, INTERVAL 1 MONTH)
GROUP BY feature
ORDER BY nusd DESC, feature;

-- question: what does a ticket cost
-- All calls of the sessions in which it came about, whenever they were.
WITH sessions AS (
    SELECT gen_ai_conversation_id AS session, SUM(llm_cost_total_nusd) AS nusd
    FROM llm_calls
    WHERE gen_ai_conversation_id IS NOT NULL
    GROUP BY session
), outcomes AS (
    SELECT llm_outcome_name AS outcome, gen_ai_conversation_id AS session, COUNT(*) AS n
    FROM llm_outcomes
    WHERE DATE(timestamp) >= @month
      AND DATE(timestamp) < DATE_ADD(@month, INTERVAL 1 MONTH)
    GROUP BY outcome, session
)
SELECT outcome, SUM(o.n) AS outcomes, COALESCE(SUM(s.nusd), 0) AS nusd,
       ROUND(COALESCE(SUM(s.nusd), 0) / SUM(o.n) / 1e9, 4) AS usd_each
FROM outcomes AS o LEFT JOIN sessions AS s USING (session)
GROUP BY outcome
ORDER BY outcome;

-- question: how much by the end of the year
-- The month is the last that is over: its mean day is taken for each day to come.
WITH days AS (
    SELECT SUM(CASE WHEN day >= DATE_TRUNC(@month, YEAR) THEN nusd END) AS spent,
           SUM(CASE WHEN day >= @month THEN nusd END) AS of_month,
           DATE_DIFF(DATE_ADD(@month, INTERVAL 1 MONTH), @month, DAY) AS month_days,
           DATE_DIFF(DATE_ADD(DATE_TRUNC(@month, YEAR), INTERVAL 1 YEAR), DATE_ADD(@month, INTERVAL 1 MONTH), DAY) AS to_come
    FROM llm_daily
    WHERE day < DATE_ADD(@month, INTERVAL 1 MONTH)
)
SELECT COALESCE(spent, 0) AS spent_nusd, ROUND(COALESCE(of_month, 0) / month_days / 1e9, 2) AS usd_a_day,
       to_come AS days_to_come,
       ROUND((COALESCE(spent, 0) + COALESCE(of_month, 0) / month_days * to_come) / 1e9, 2) AS usd_by_year_end
FROM days;

-- question: which customer loses money
WITH spent AS (
    SELECT customer, SUM(d.nusd) AS nusd
    FROM llm_daily AS d
    WHERE day >= @month AND day < DATE_ADD(@month, INTERVAL 1 MONTH)
    GROUP BY customer
), paid AS (
    SELECT customer, SUM(revenue_usd) AS usd
    FROM revenue
    WHERE period >= @month AND period < DATE_ADD(@month, INTERVAL 1 MONTH)
    GROUP BY customer
)
SELECT customer, COALESCE(nusd, 0) AS nusd, COALESCE(usd, 0) AS revenue_usd,
       ROUND(COALESCE(usd, 0) - COALESCE(nusd, 0) / 1e9, 2) AS margin_usd
FROM spent FULL JOIN paid USING (customer)
WHERE customer <> ''
ORDER BY margin_usd, customer;

-- question: what changed
-- Against the month before: by_calls of the difference comes from more or fewer calls,
-- by_cost from what a call costs.
WITH months AS (
    SELECT team, model,
           COALESCE(SUM(CASE WHEN day < @month THEN calls END), 0) AS calls_before,
           COALESCE(SUM(CASE WHEN day < @month THEN nusd END), 0) AS before,
           COALESCE(SUM(CASE WHEN day >= @month THEN calls END), 0) AS calls_now,
           COALESCE(SUM(CASE WHEN day >= @month THEN nusd END), 0) AS now
    FROM llm_daily
    WHERE day >= DATE_SUB(@month, INTERVAL 1 MONTH)
      AND day < DATE_ADD(@month, INTERVAL 1 MONTH)
    GROUP BY team, model
)
SELECT team, model, before AS nusd_before, now AS nusd_now, now - before AS difference,
       ROUND((CASE WHEN calls_before = 0 THEN now
                   ELSE before / calls_before * (calls_now - calls_before) END) / 1e9, 2) AS by_calls_usd,
       ROUND((CASE WHEN calls_before = 0 THEN 0
                   ELSE now - before / calls_before * calls_now END) / 1e9, 2) AS by_cost_usd
FROM months
ORDER BY ABS(difference) DESC, team, model;
