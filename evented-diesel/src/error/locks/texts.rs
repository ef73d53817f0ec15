//! Lists the messages of PostgreSQL that can be recognized only by their text, in every language that PostgreSQL is
//! translated into.
//!
//! The texts are those of the message catalogues (`postgres-<version>.mo`) of PostgreSQL 13, 15, 17 and 18 as Debian
//! ships them. A language has a second line if the text changed between those versions, or if it differs for a name
//! with a schema. A missing text is one that the catalogues leave in English. `%s` stands for a name.

/// The code of a language, and the text in that language.
pub(super) type Text = (&'static str, &'static str);

/// `lock_timeout` ran out. SQLSTATE 55P03.
pub(super) const LOCK_TIMEOUT: &[Text] = &[
    ("en", "canceling statement due to lock timeout"),
    ("de", "storniere Anfrage wegen Zeitüberschreitung einer Sperre"),
    ("es", "cancelando la sentencia debido a que se agotó el tiempo de espera de candados (locks)"),
    ("es", "cancelando la sentencia debido a que se agotó el tiempo de espera de “locks”"),
    ("fr", "annulation de la requête à cause du délai écoulé pour l'obtention des verrous"),
    ("id", "pembatalan perintah karena kunci kehabisan waktu tunggu"),
    ("it", "annullamento dell'istruzione a causa di timeout di lock"),
    ("ja", "ロックのタイムアウトのためステートメントをキャンセルしています"),
    ("ka", "გამოსახულება გაუქმდება ბლოკის მოლოდინის ვადის ამოწურვის გამო"),
    ("ko", "잠금 대기 시간 초과로 작업을 취소합니다."),
    ("pl", "anulowano polecenie z powodu przekroczenia czasu blokady"),
    ("pt_BR", "cancelando comando por causa do tempo de espera (timeout) do bloqueio"),
    ("ru", "выполнение оператора отменено из-за тайм-аута блокировки"),
    ("sv", "avbryter sats på grund av lås-timeout"),
    ("uk", "виконання оператора скасовано через тайм-аут блокування"),
    ("zh_CN", "由于锁超时，取消语句操作"),
    ("zh_CN", "由于锁超时，正在取消语句"),
    ("zh_TW", "由於鎖定逾時，正在取消敘述"),
];

/// A statement with `NOWAIT` met a locked row. SQLSTATE 55P03.
pub(super) const ROW_LOCKED: &[Text] = &[
    ("en", "could not obtain lock on row in relation \"%s\""),
    ("de", "konnte Sperre für Zeile in Relation »%s« nicht setzen"),
    ("es", "no se pudo bloquear un candado en la fila de la relación «%s»"),
    ("es", "no se pudo bloquear un “lock” en la fila de la relación «%s»"),
    ("fr", "n'a pas pu obtenir un verrou sur la relation « %s »"),
    ("id", "tidak mendapatkan kunci pada baris relasi « %s »"),
    ("it", "lock di riga nella relazione \"%s\" fallito"),
    ("ja", "リレーション\"%s\"の行ロックを取得できませんでした"),
    ("ka", "ურთიერთობაში \"%s\" მწკრივის დაბლოკვის შეცდომა"),
    ("ko", "\"%s\" 릴레이션의 잠금 정보를 구할 수 없음"),
    ("pl", "nie można nałożyć blokady na rekord w relacji \"%s\""),
    ("pt_BR", "não foi possível obter bloqueio na linha da relação \"%s\""),
    ("ru", "не удалось получить блокировку строки в таблице \"%s\""),
    ("sv", "kunde inte låsa rad i relationen \"%s\""),
    ("tr", "\"%s\" tablosundaki satır için lock alınamadı"),
    ("uk", "не вдалося отримати блокування у рядку стосовно \"%s\""),
    ("zh_CN", "无法在关系 \"%s\"中的记录上获得锁"),
    ("zh_CN", "无法获取关系 \"%s\" 中行的锁"),
    ("zh_TW", "無法取得關聯 \"%s\" 中的資料列鎖定"),
];

/// A statement with `NOWAIT` met a locked table. SQLSTATE 55P03.
pub(super) const RELATION_LOCKED: &[Text] = &[
    ("en", "could not obtain lock on relation \"%s\""),
    ("de", "konnte Sperre für Relation »%s« nicht setzen"),
    ("es", "no se pudo bloquear un candado en la relación «%s»"),
    ("es", "no se pudo bloquear un “lock” en la relación «%s»"),
    ("fr", "n'a pas pu obtenir un verrou sur la relation « %s »"),
    ("id", "tidak mendapatkan 'lock' pada relasi« %s »"),
    ("id", "tidak mendapatkan 'lock' pada relasi « %s »"),
    ("it", "lock della relazione \"%s\" fallito"),
    ("ja", "リレーション\"%s\"のロックを取得できませんでした"),
    ("ka", "ბლოკის მიღების შეცდომა ურთიერთობაზე %s\""),
    ("ko", "\"%s\" 릴레이션의 잠금 정보를 구할 수 없음"),
    ("pl", "nie można nałożyć blokady na relację \"%s\""),
    ("pt_BR", "não foi possível obter bloqueio na relação \"%s\""),
    ("ru", "не удалось получить блокировку таблицы \"%s\""),
    ("sv", "kunde inte ta lås på relationen \"%s\""),
    ("tr", "\"%s\" tablosu için kilit alınamadı"),
    ("tr", "\"%s\" nesnesi için kilit alınamadı"),
    ("uk", "не вдалося отримати блокування зв'язку \"%s\""),
    ("zh_CN", "无法在关系 \"%s\" 上获得锁"),
    ("zh_CN", "无法获取关系 \"%s\" 上的锁"),
    ("zh_TW", "無法取得關聯 \"%s\" 的鎖定"),
    ("zh_TW", "無法取得關聯 \"%s\" 上的鎖定"),
];

/// A standby canceled a query because of a conflict with recovery. SQLSTATE 40P01, in the cases where it is not 40001.
pub(super) const RECOVERY: &[Text] = &[
    ("en", "canceling statement due to conflict with recovery"),
    ("de", "storniere Anfrage wegen Konflikt mit der Wiederherstellung"),
    ("es", "cancelando la sentencia debido a un conflicto con la recuperación"),
    ("fr", "annulation de la requête à cause d'un conflit avec la restauration"),
    ("id", "pembatalan perintah karena konflik dengan perbaikan"),
    ("it", "annullamento dell'istruzione a causa di un conflitto con il ripristino"),
    ("ja", "リカバリで競合が発生したためステートメントをキャンセルしています"),
    ("ka", "გამოსახულების გაუქმება აღდგენასთან კონფლიქტის გამო"),
    ("ko", "복구 작업 중 충돌이 발생해 작업을 중지합니다."),
    ("pl", "anulowano polecenie z powodu konfliktu podczas odzyskiwania"),
    ("pt_BR", "cancelando a instrução devido a um conflito com a recuperação"),
    ("ru", "выполнение оператора отменено из-за конфликта с процессом восстановления"),
    ("sv", "avbryter sats på grund av konflikt med återställning"),
    ("tr", "kurtarma işlemi ile çakışmadan dolayı sorgu iptal ediliyor"),
    ("uk", "виконання оператора скасовано через конфлікт з процесом відновлення"),
    ("zh_CN", "由于与恢复操作冲突，正在取消语句命令"),
    ("zh_CN", "由于与恢复操作冲突，正在取消语句"),
    ("zh_TW", "因為與復原衝突，正在取消陳述式"),
];

/// The types of a prepared statement's result were changed by `ALTER TABLE`. SQLSTATE 0A000.
pub(super) const STALE_PLAN: &[Text] = &[
    ("en", "cached plan must not change result type"),
    ("de", "gecachter Plan darf den Ergebnistyp nicht ändern"),
    ("es", "el plan almacenado no debe cambiar el tipo de resultado"),
    ("fr", "le plan en cache ne doit pas modifier le type en résultat"),
    ("it", "il cached plan non deve cambiare il tipo del risultato"),
    ("ja", "キャッシュした実行計画は結果型を変更してはなりません"),
    ("ka", "დაკეშილი გეგმა შედეგის ტიპს არ უნდა ცვლიდეს"),
    ("ko", "캐시된 계획에서 결과 형식을 바꾸지 않아야 함"),
    ("ru", "в кешированном плане не должен изменяться тип результата"),
    ("sv", "cache:ad plan får inte ändra resultattyp"),
    ("uk", "в кешованому плані не повинен змінюватись тип результату"),
    ("zh_CN", "已缓冲的计划不能改变结果类型"),
];
