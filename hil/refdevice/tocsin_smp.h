/* Made from advisories/smp.toml by .ci/smp-table; edit the table.
 *
 * TOCSIN_SMP_COMMANDS(X) calls X(NAME, name, group, id, write, test_build) for each command;
 * TOCSIN_SMP_<NAME>_REQUEST(X) and _ANSWER(X) call X(field, TYPE, optional) for each field.
 * TOCSIN_SMP_<NAME> is the command's number, _HEAD its group, operation and number in one, _TEXT
 * what `caps` calls it, in CBOR, and _AT_<FIELD> the place of a field in its request's row.
 */
#ifndef TOCSIN_SMP_H
#define TOCSIN_SMP_H

/* Error codes */
#define TOCSIN_SMP_RC_OK 0 /* no error */
#define TOCSIN_SMP_RC_UNKNOWN 1 /* unknown error */
#define TOCSIN_SMP_RC_NOMEM 2 /* not enough memory */
#define TOCSIN_SMP_RC_EINVAL 3 /* a value is wrong, or the message does not fit the buffer */
#define TOCSIN_SMP_RC_ETIMEOUT 4 /* it took too long */
#define TOCSIN_SMP_RC_ENOENT 5 /* there is no such thing */
#define TOCSIN_SMP_RC_EBADSTATE 6 /* not in this state */
#define TOCSIN_SMP_RC_EMSGSIZE 7 /* the message or its answer is too large */
#define TOCSIN_SMP_RC_ENOTSUP 8 /* the command is not supported */
#define TOCSIN_SMP_RC_ECORRUPT 9 /* corrupt */
#define TOCSIN_SMP_RC_EBUSY 10 /* busy with another command */
#define TOCSIN_SMP_RC_EACCESSDENIED 11 /* not allowed */
#define TOCSIN_SMP_RC_TOO_OLD 12 /* this version of the protocol is too old */
#define TOCSIN_SMP_RC_TOO_NEW 13 /* this version of the protocol is too new */
#define TOCSIN_SMP_RC_PERUSER 256 /* a group's own code begins here */

/* Groups */
#define TOCSIN_SMP_GROUP_OS 0 /* Operating system: everybody's SMP */
#define TOCSIN_SMP_GROUP_IMG 1 /* Images: everybody's SMP */
#define TOCSIN_SMP_GROUP_STAT 2 /* Statistics: everybody's SMP */
#define TOCSIN_SMP_GROUP_NOTIFIER 400 /* Notices, patches and proof: Tocsin's own; a board file may give another number */

/* sends a text back */
#define TOCSIN_SMP_OS_ECHO 0
#define TOCSIN_SMP_OS_ECHO_HEAD 0x00000200u
#define TOCSIN_SMP_OS_ECHO_TEXT "\144echo"
enum {
    TOCSIN_SMP_OS_ECHO_AT_D
};
#define TOCSIN_SMP_OS_ECHO_REQUEST(X) \
    X(d, TEXT, 0)
#define TOCSIN_SMP_OS_ECHO_ANSWER(X) \
    X(r, TEXT, 0)

/* switches the console's echo */
#define TOCSIN_SMP_OS_CONSOLE_ECHO 1
#define TOCSIN_SMP_OS_CONSOLE_ECHO_HEAD 0x00000201u
#define TOCSIN_SMP_OS_CONSOLE_ECHO_TEXT "\154console_echo"
enum {
    TOCSIN_SMP_OS_CONSOLE_ECHO_AT_ECHO
};
#define TOCSIN_SMP_OS_CONSOLE_ECHO_REQUEST(X) \
    X(echo, UINT, 0)
#define TOCSIN_SMP_OS_CONSOLE_ECHO_ANSWER(X)

/* statistics of tasks */
#define TOCSIN_SMP_OS_TASKS 2
#define TOCSIN_SMP_OS_TASKS_HEAD 0x00000002u
#define TOCSIN_SMP_OS_TASKS_TEXT "\145tasks"
#define TOCSIN_SMP_OS_TASKS_REQUEST(X)
#define TOCSIN_SMP_OS_TASKS_ANSWER(X) \
    X(tasks, MAP, 0)

/* statistics of memory pools, a field for each */
#define TOCSIN_SMP_OS_MEMORY_POOLS 3
#define TOCSIN_SMP_OS_MEMORY_POOLS_HEAD 0x00000003u
#define TOCSIN_SMP_OS_MEMORY_POOLS_TEXT "\154memory_pools"
#define TOCSIN_SMP_OS_MEMORY_POOLS_REQUEST(X)
#define TOCSIN_SMP_OS_MEMORY_POOLS_ANSWER(X)

/* the board's clock */
#define TOCSIN_SMP_OS_DATETIME 4
#define TOCSIN_SMP_OS_DATETIME_HEAD 0x00000004u
#define TOCSIN_SMP_OS_DATETIME_TEXT "\150datetime"
#define TOCSIN_SMP_OS_DATETIME_REQUEST(X)
#define TOCSIN_SMP_OS_DATETIME_ANSWER(X) \
    X(datetime, TEXT, 0)

/* sets the board's clock */
#define TOCSIN_SMP_OS_DATETIME_SET 4
#define TOCSIN_SMP_OS_DATETIME_SET_HEAD 0x00000204u
#define TOCSIN_SMP_OS_DATETIME_SET_TEXT "\154datetime_set"
enum {
    TOCSIN_SMP_OS_DATETIME_SET_AT_DATETIME
};
#define TOCSIN_SMP_OS_DATETIME_SET_REQUEST(X) \
    X(datetime, TEXT, 0)
#define TOCSIN_SMP_OS_DATETIME_SET_ANSWER(X)

/* restarts the board */
#define TOCSIN_SMP_OS_RESET 5
#define TOCSIN_SMP_OS_RESET_HEAD 0x00000205u
#define TOCSIN_SMP_OS_RESET_TEXT "\145reset"
enum {
    TOCSIN_SMP_OS_RESET_AT_FORCE,
    TOCSIN_SMP_OS_RESET_AT_BOOT_MODE
};
#define TOCSIN_SMP_OS_RESET_REQUEST(X) \
    X(force, UINT, 1) \
    X(boot_mode, UINT, 1)
#define TOCSIN_SMP_OS_RESET_ANSWER(X)

/* size and number of the board's SMP buffers */
#define TOCSIN_SMP_OS_PARAMETERS 6
#define TOCSIN_SMP_OS_PARAMETERS_HEAD 0x00000006u
#define TOCSIN_SMP_OS_PARAMETERS_TEXT "\152parameters"
#define TOCSIN_SMP_OS_PARAMETERS_REQUEST(X)
#define TOCSIN_SMP_OS_PARAMETERS_ANSWER(X) \
    X(buf_size, UINT, 0) \
    X(buf_count, UINT, 0)

/* what runs, as uname would say it */
#define TOCSIN_SMP_OS_INFO 7
#define TOCSIN_SMP_OS_INFO_HEAD 0x00000007u
#define TOCSIN_SMP_OS_INFO_TEXT "\144info"
enum {
    TOCSIN_SMP_OS_INFO_AT_FORMAT
};
#define TOCSIN_SMP_OS_INFO_REQUEST(X) \
    X(format, TEXT, 1)
#define TOCSIN_SMP_OS_INFO_ANSWER(X) \
    X(output, TEXT, 0)

/* which boot loader, and how it swaps */
#define TOCSIN_SMP_OS_BOOTLOADER 8
#define TOCSIN_SMP_OS_BOOTLOADER_HEAD 0x00000008u
#define TOCSIN_SMP_OS_BOOTLOADER_TEXT "\152bootloader"
enum {
    TOCSIN_SMP_OS_BOOTLOADER_AT_QUERY
};
#define TOCSIN_SMP_OS_BOOTLOADER_REQUEST(X) \
    X(query, TEXT, 1)
#define TOCSIN_SMP_OS_BOOTLOADER_ANSWER(X) \
    X(bootloader, TEXT, 1) \
    X(mode, INT, 1)

/* images in the slots */
#define TOCSIN_SMP_IMG_STATE 0
#define TOCSIN_SMP_IMG_STATE_HEAD 0x00010000u
#define TOCSIN_SMP_IMG_STATE_TEXT "\145state"
#define TOCSIN_SMP_IMG_STATE_REQUEST(X)
#define TOCSIN_SMP_IMG_STATE_ANSWER(X) \
    X(images, ARRAY, 0) \
    X(splitStatus, UINT, 1)

/* tries or confirms an image */
#define TOCSIN_SMP_IMG_STATE_SET 0
#define TOCSIN_SMP_IMG_STATE_SET_HEAD 0x00010200u
#define TOCSIN_SMP_IMG_STATE_SET_TEXT "\151state_set"
enum {
    TOCSIN_SMP_IMG_STATE_SET_AT_HASH,
    TOCSIN_SMP_IMG_STATE_SET_AT_CONFIRM
};
#define TOCSIN_SMP_IMG_STATE_SET_REQUEST(X) \
    X(hash, BYTES, 1) \
    X(confirm, BOOL, 1)
#define TOCSIN_SMP_IMG_STATE_SET_ANSWER(X) \
    X(images, ARRAY, 1) \
    X(splitStatus, UINT, 1)

/* takes a part of an image */
#define TOCSIN_SMP_IMG_UPLOAD 1
#define TOCSIN_SMP_IMG_UPLOAD_HEAD 0x00010201u
#define TOCSIN_SMP_IMG_UPLOAD_TEXT "\146upload"
enum {
    TOCSIN_SMP_IMG_UPLOAD_AT_IMAGE,
    TOCSIN_SMP_IMG_UPLOAD_AT_LEN,
    TOCSIN_SMP_IMG_UPLOAD_AT_OFF,
    TOCSIN_SMP_IMG_UPLOAD_AT_SHA,
    TOCSIN_SMP_IMG_UPLOAD_AT_DATA,
    TOCSIN_SMP_IMG_UPLOAD_AT_UPGRADE
};
#define TOCSIN_SMP_IMG_UPLOAD_REQUEST(X) \
    X(image, UINT, 1) \
    X(len, UINT, 1) \
    X(off, UINT, 0) \
    X(sha, BYTES, 1) \
    X(data, BYTES, 0) \
    X(upgrade, BOOL, 1)
#define TOCSIN_SMP_IMG_UPLOAD_ANSWER(X) \
    X(off, UINT, 0) \
    X(match, BOOL, 1)

/* erases a slot */
#define TOCSIN_SMP_IMG_ERASE 5
#define TOCSIN_SMP_IMG_ERASE_HEAD 0x00010205u
#define TOCSIN_SMP_IMG_ERASE_TEXT "\145erase"
enum {
    TOCSIN_SMP_IMG_ERASE_AT_SLOT
};
#define TOCSIN_SMP_IMG_ERASE_REQUEST(X) \
    X(slot, UINT, 1)
#define TOCSIN_SMP_IMG_ERASE_ANSWER(X)

/* the counters of one group */
#define TOCSIN_SMP_STAT_SHOW 0
#define TOCSIN_SMP_STAT_SHOW_HEAD 0x00020000u
#define TOCSIN_SMP_STAT_SHOW_TEXT "\144show"
enum {
    TOCSIN_SMP_STAT_SHOW_AT_NAME
};
#define TOCSIN_SMP_STAT_SHOW_REQUEST(X) \
    X(name, TEXT, 0)
#define TOCSIN_SMP_STAT_SHOW_ANSWER(X) \
    X(name, TEXT, 0) \
    X(fields, MAP, 0)

/* names of the groups of counters */
#define TOCSIN_SMP_STAT_LIST 1
#define TOCSIN_SMP_STAT_LIST_HEAD 0x00020001u
#define TOCSIN_SMP_STAT_LIST_TEXT "\144list"
#define TOCSIN_SMP_STAT_LIST_REQUEST(X)
#define TOCSIN_SMP_STAT_LIST_ANSWER(X) \
    X(stat_list, ARRAY, 0)

/* who the device is, what it can do, the MQTT filters it listens to, and a number that changes at every boot */
#define TOCSIN_SMP_NOTIFIER_INFO 0
#define TOCSIN_SMP_NOTIFIER_INFO_HEAD 0x01900000u
#define TOCSIN_SMP_NOTIFIER_INFO_TEXT "\144info"
#define TOCSIN_SMP_NOTIFIER_INFO_REQUEST(X)
#define TOCSIN_SMP_NOTIFIER_INFO_ANSWER(X) \
    X(proto, UINT, 0) \
    X(id, TEXT, 0) \
    X(class, TEXT, 0) \
    X(hw, TEXT, 0) \
    X(fw, TEXT, 0) \
    X(algs, ARRAY, 0) \
    X(max, UINT, 0) \
    X(caps, ARRAY, 0) \
    X(filters, ARRAY, 0) \
    X(boot, BYTES, 0)

/* stages a part of a message; the answer says from where to go on */
#define TOCSIN_SMP_NOTIFIER_PUT 1
#define TOCSIN_SMP_NOTIFIER_PUT_HEAD 0x01900201u
#define TOCSIN_SMP_NOTIFIER_PUT_TEXT "\143put"
enum {
    TOCSIN_SMP_NOTIFIER_PUT_AT_SHA,
    TOCSIN_SMP_NOTIFIER_PUT_AT_OFF,
    TOCSIN_SMP_NOTIFIER_PUT_AT_LEN,
    TOCSIN_SMP_NOTIFIER_PUT_AT_DATA
};
#define TOCSIN_SMP_NOTIFIER_PUT_REQUEST(X) \
    X(sha, BYTES, 0) \
    X(off, UINT, 0) \
    X(len, UINT, 1) \
    X(data, BYTES, 0)
#define TOCSIN_SMP_NOTIFIER_PUT_ANSWER(X) \
    X(off, UINT, 0)

/* hands the staged message to the device as if it had come on this topic; the verdict is a reason code */
#define TOCSIN_SMP_NOTIFIER_SUBMIT 2
#define TOCSIN_SMP_NOTIFIER_SUBMIT_HEAD 0x01900202u
#define TOCSIN_SMP_NOTIFIER_SUBMIT_TEXT "\146submit"
enum {
    TOCSIN_SMP_NOTIFIER_SUBMIT_AT_SHA,
    TOCSIN_SMP_NOTIFIER_SUBMIT_AT_TOPIC,
    TOCSIN_SMP_NOTIFIER_SUBMIT_AT_KEY
};
#define TOCSIN_SMP_NOTIFIER_SUBMIT_REQUEST(X) \
    X(sha, BYTES, 0) \
    X(topic, TEXT, 0) \
    X(key, UINT, 0)
#define TOCSIN_SMP_NOTIFIER_SUBMIT_ANSWER(X) \
    X(verdict, UINT, 0) \
    X(name, TEXT, 1) \
    X(text, TEXT, 1)

/* what the device shows now, line by line, and the version it asks consent for */
#define TOCSIN_SMP_NOTIFIER_NOTICE 3
#define TOCSIN_SMP_NOTIFIER_NOTICE_HEAD 0x01900003u
#define TOCSIN_SMP_NOTIFIER_NOTICE_TEXT "\146notice"
enum {
    TOCSIN_SMP_NOTIFIER_NOTICE_AT_OFF
};
#define TOCSIN_SMP_NOTIFIER_NOTICE_REQUEST(X) \
    X(off, UINT, 1)
#define TOCSIN_SMP_NOTIFIER_NOTICE_ANSWER(X) \
    X(id, TEXT, 1) \
    X(revision, UINT, 1) \
    X(severity, TEXT, 1) \
    X(language, TEXT, 1) \
    X(confirmed, BOOL, 1) \
    X(asks, TEXT, 1) \
    X(count, UINT, 0) \
    X(off, UINT, 0) \
    X(lines, ARRAY, 0)

/* the next thing that the device wants said: 0 publish, 1 subscribe, 2 unsubscribe; ack drops what was taken */
#define TOCSIN_SMP_NOTIFIER_REPORT 4
#define TOCSIN_SMP_NOTIFIER_REPORT_HEAD 0x01900004u
#define TOCSIN_SMP_NOTIFIER_REPORT_TEXT "\146report"
enum {
    TOCSIN_SMP_NOTIFIER_REPORT_AT_ACK,
    TOCSIN_SMP_NOTIFIER_REPORT_AT_OFF
};
#define TOCSIN_SMP_NOTIFIER_REPORT_REQUEST(X) \
    X(ack, UINT, 1) \
    X(off, UINT, 1)
#define TOCSIN_SMP_NOTIFIER_REPORT_ANSWER(X) \
    X(number, UINT, 1) \
    X(kind, UINT, 1) \
    X(topic, TEXT, 1) \
    X(len, UINT, 1) \
    X(off, UINT, 1) \
    X(data, BYTES, 1)

/* presses acknowledge, yes, later or no for the owner */
#define TOCSIN_SMP_NOTIFIER_PRESS 5
#define TOCSIN_SMP_NOTIFIER_PRESS_HEAD 0x01900205u
#define TOCSIN_SMP_NOTIFIER_PRESS_TEXT "\145press"
enum {
    TOCSIN_SMP_NOTIFIER_PRESS_AT_BUTTON,
    TOCSIN_SMP_NOTIFIER_PRESS_AT_KEY
};
#define TOCSIN_SMP_NOTIFIER_PRESS_REQUEST(X) \
    X(button, TEXT, 0) \
    X(key, UINT, 0)
#define TOCSIN_SMP_NOTIFIER_PRESS_ANSWER(X)

/* counters, floors, versions, keys and tracks, for invariants */
#define TOCSIN_SMP_NOTIFIER_STATE 6
#define TOCSIN_SMP_NOTIFIER_STATE_HEAD 0x01900006u
#define TOCSIN_SMP_NOTIFIER_STATE_TEXT "\145state"
#define TOCSIN_SMP_NOTIFIER_STATE_REQUEST(X)
#define TOCSIN_SMP_NOTIFIER_STATE_ANSWER(X) \
    X(boot, BYTES, 0) \
    X(epoch, UINT, 0) \
    X(cause, TEXT, 0) \
    X(slot, UINT, 0) \
    X(installed, TEXT, 0) \
    X(pending, TEXT, 1) \
    X(floors, MAP, 0) \
    X(root, UINT, 0) \
    X(kids, ARRAY, 0) \
    X(notices, ARRAY, 0) \
    X(patches, ARRAY, 0) \
    X(journal, UINT, 0) \
    X(head, BYTES, 0) \
    X(writes, UINT, 0)

/* loses power before, in the middle of (torn) or after the at-th write to flash from now */
#define TOCSIN_SMP_NOTIFIER_FAULT 7
#define TOCSIN_SMP_NOTIFIER_FAULT_HEAD 0x01900207u
#define TOCSIN_SMP_NOTIFIER_FAULT_TEXT "\145fault"
enum {
    TOCSIN_SMP_NOTIFIER_FAULT_AT_AT,
    TOCSIN_SMP_NOTIFIER_FAULT_AT_WHEN,
    TOCSIN_SMP_NOTIFIER_FAULT_AT_KEY
};
#define TOCSIN_SMP_NOTIFIER_FAULT_REQUEST(X) \
    X(at, UINT, 0) \
    X(when, TEXT, 0) \
    X(key, UINT, 0)
#define TOCSIN_SMP_NOTIFIER_FAULT_ANSWER(X)

/* the device's idea of time */
#define TOCSIN_SMP_NOTIFIER_CLOCK 8
#define TOCSIN_SMP_NOTIFIER_CLOCK_HEAD 0x01900008u
#define TOCSIN_SMP_NOTIFIER_CLOCK_TEXT "\145clock"
#define TOCSIN_SMP_NOTIFIER_CLOCK_REQUEST(X)
#define TOCSIN_SMP_NOTIFIER_CLOCK_ANSWER(X) \
    X(utc, UINT, 0)

/* moves the device's clock */
#define TOCSIN_SMP_NOTIFIER_CLOCK_SET 8
#define TOCSIN_SMP_NOTIFIER_CLOCK_SET_HEAD 0x01900208u
#define TOCSIN_SMP_NOTIFIER_CLOCK_SET_TEXT "\151clock_set"
enum {
    TOCSIN_SMP_NOTIFIER_CLOCK_SET_AT_UTC,
    TOCSIN_SMP_NOTIFIER_CLOCK_SET_AT_KEY
};
#define TOCSIN_SMP_NOTIFIER_CLOCK_SET_REQUEST(X) \
    X(utc, UINT, 0) \
    X(key, UINT, 0)
#define TOCSIN_SMP_NOTIFIER_CLOCK_SET_ANSWER(X)

/* erase; root (SHA-256 of staged bytes); key (32 bytes of Ed25519 seed); version; id; product, language, topics (a device in C, which reads no file); each holds from the next reset */
#define TOCSIN_SMP_NOTIFIER_PROVISION 9
#define TOCSIN_SMP_NOTIFIER_PROVISION_HEAD 0x01900209u
#define TOCSIN_SMP_NOTIFIER_PROVISION_TEXT "\151provision"
enum {
    TOCSIN_SMP_NOTIFIER_PROVISION_AT_WHAT,
    TOCSIN_SMP_NOTIFIER_PROVISION_AT_VALUE,
    TOCSIN_SMP_NOTIFIER_PROVISION_AT_KEY
};
#define TOCSIN_SMP_NOTIFIER_PROVISION_REQUEST(X) \
    X(what, TEXT, 0) \
    X(value, BYTES, 1) \
    X(key, UINT, 0)
#define TOCSIN_SMP_NOTIFIER_PROVISION_ANSWER(X)

/* says whether the way to the gateway is open */
#define TOCSIN_SMP_NOTIFIER_CARRIER 10
#define TOCSIN_SMP_NOTIFIER_CARRIER_HEAD 0x0190020Au
#define TOCSIN_SMP_NOTIFIER_CARRIER_TEXT "\147carrier"
enum {
    TOCSIN_SMP_NOTIFIER_CARRIER_AT_UP,
    TOCSIN_SMP_NOTIFIER_CARRIER_AT_KEY
};
#define TOCSIN_SMP_NOTIFIER_CARRIER_REQUEST(X) \
    X(up, BOOL, 0) \
    X(key, UINT, 0)
#define TOCSIN_SMP_NOTIFIER_CARRIER_ANSWER(X)

#define TOCSIN_SMP_COMMANDS(X) \
    X(OS_ECHO, "os.echo", 0, 0, 1, 0) \
    X(OS_CONSOLE_ECHO, "os.console_echo", 0, 1, 1, 0) \
    X(OS_TASKS, "os.tasks", 0, 2, 0, 0) \
    X(OS_MEMORY_POOLS, "os.memory_pools", 0, 3, 0, 0) \
    X(OS_DATETIME, "os.datetime", 0, 4, 0, 0) \
    X(OS_DATETIME_SET, "os.datetime_set", 0, 4, 1, 0) \
    X(OS_RESET, "os.reset", 0, 5, 1, 0) \
    X(OS_PARAMETERS, "os.parameters", 0, 6, 0, 0) \
    X(OS_INFO, "os.info", 0, 7, 0, 0) \
    X(OS_BOOTLOADER, "os.bootloader", 0, 8, 0, 0) \
    X(IMG_STATE, "img.state", 1, 0, 0, 0) \
    X(IMG_STATE_SET, "img.state_set", 1, 0, 1, 0) \
    X(IMG_UPLOAD, "img.upload", 1, 1, 1, 0) \
    X(IMG_ERASE, "img.erase", 1, 5, 1, 0) \
    X(STAT_SHOW, "stat.show", 2, 0, 0, 0) \
    X(STAT_LIST, "stat.list", 2, 1, 0, 0) \
    X(NOTIFIER_INFO, "notifier.info", 400, 0, 0, 0) \
    X(NOTIFIER_PUT, "notifier.put", 400, 1, 1, 0) \
    X(NOTIFIER_SUBMIT, "notifier.submit", 400, 2, 1, 0) \
    X(NOTIFIER_NOTICE, "notifier.notice", 400, 3, 0, 0) \
    X(NOTIFIER_REPORT, "notifier.report", 400, 4, 0, 0) \
    X(NOTIFIER_PRESS, "notifier.press", 400, 5, 1, 1) \
    X(NOTIFIER_STATE, "notifier.state", 400, 6, 0, 0) \
    X(NOTIFIER_FAULT, "notifier.fault", 400, 7, 1, 1) \
    X(NOTIFIER_CLOCK, "notifier.clock", 400, 8, 0, 0) \
    X(NOTIFIER_CLOCK_SET, "notifier.clock_set", 400, 8, 1, 1) \
    X(NOTIFIER_PROVISION, "notifier.provision", 400, 9, 1, 1) \
    X(NOTIFIER_CARRIER, "notifier.carrier", 400, 10, 1, 0)

#endif
