-- One statement that makes an event and its row: the floor of a create.
\set n random(1, 1000000000)
WITH appended AS (
    INSERT INTO tasks_events (id, record_id, revision, action, version, payload, at, state)
    VALUES (gen_random_uuid(), gen_random_uuid(), 1, 'insert', 0, '{"name":"write the report"}', now(),
            '\x00112233445566778899aabbccddeeff')
    ON CONFLICT DO NOTHING RETURNING position, revision, record_id
), made AS (
    INSERT INTO tasks (id, name, done) SELECT record_id, 'write the report', false FROM appended
    RETURNING id, name, done
) SELECT appended.position, appended.revision, made.id, made.name, made.done FROM appended, made;
