SELECT
    extract(ISODOW FROM s.started_at AT TIME ZONE %(zone)s)::integer AS weekday,
    extract(HOUR FROM s.started_at AT TIME ZONE %(zone)s)::integer AS hour,
    count(*) AS sessions
FROM (
    SELECT min(e.event_timestamp) AS started_at
    FROM plain.events AS e
    WHERE
        e.event_timestamp >= %(from_at)s::timestamptz - interval '2 hours'
        AND e.event_timestamp < %(to_at)s::timestamptz + interval '2 hours'
    GROUP BY e.session_id
) AS s
WHERE s.started_at >= %(from_at)s AND s.started_at < %(to_at)s
GROUP BY 1, 2
