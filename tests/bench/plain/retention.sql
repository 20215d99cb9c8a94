WITH active AS (
    SELECT e.client_id, date_trunc('week', e.event_timestamp, %(zone)s) AS week_at
    FROM plain.events AS e
    WHERE e.event_timestamp >= %(from_at)s AND e.event_timestamp < %(to_at)s
    GROUP BY 1, 2
),

cohort AS (
    SELECT a.client_id, min(a.week_at) AS cohort_at
    FROM active AS a
    WHERE
        NOT EXISTS (
            SELECT FROM plain.events AS e
            WHERE e.client_id = a.client_id AND e.event_timestamp < %(from_at)s
        )
    GROUP BY a.client_id
)

SELECT
    c.cohort_at, (extract(EPOCH FROM a.week_at - c.cohort_at) / 604800)::integer AS number,
    count(*) AS returned
FROM cohort AS c
INNER JOIN active AS a ON a.client_id = c.client_id
GROUP BY 1, 2
