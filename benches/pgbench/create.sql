-- One statement that makes an event and its row: the floor of a create.
\set n random(1, 1000000000)
WITH made AS (
    INSERT INTO tasks (id, name, done) VALUES (gen_random_uuid(), 'write the report', false) RETURNING id, name, done
), appended AS (
    INSERT INTO tasks_events (id, record_id, revision, action, version, payload, at, state)
    SELECT gen_random_uuid(), made.id, 1, 'insert', 0, '{"name":"write the report"}', now(),
           '\x00112233445566778899aabbccddeeff'
    FROM made RETURNING position, revision
) SELECT appended.position, appended.revision, made.id, made.name, made.done FROM appended, made;
