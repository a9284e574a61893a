"""The sketches of the porting guide are whole ports: they compile, and nothing that the core asks for is missing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from . import build

PAGE = (build.ROOT / "docs/how-to/port-the-device.md").read_text(encoding="utf-8")
SKETCHES = dict(re.findall(r"^```c (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
STUBS = {
    "zephyr": """
#include <stddef.h>
#include <stdint.h>
#define CONFIG_FLASH_BASE_ADDRESS 0x08000000
#include <sys/types.h>
struct device; struct flash_area { off_t fa_off; };
extern const struct device the_device;
#define DT_CHOSEN(x) x
#define DEVICE_DT_GET(x) (&the_device)
#define FIXED_PARTITION_ID(x) 1
#define SYS_REBOOT_COLD 1
#define RESET_SOFTWARE 2u
int uart_poll_in(const struct device *dev, unsigned char *p_char);
void uart_poll_out(const struct device *dev, unsigned char out_char);
int flash_area_open(uint8_t id, const struct flash_area **fa);
int flash_area_write(const struct flash_area *fa, long off, const void *src, size_t len);
int flash_area_erase(const struct flash_area *fa, long off, size_t len);
int64_t k_uptime_get(void);
void k_yield(void);
void printk(const char *fmt, ...);
_Noreturn void sys_reboot(int type);
int hwinfo_get_reset_cause(uint32_t *cause);
int hwinfo_clear_reset_cause(void);
""",
    "esp-idf": """
#include <stddef.h>
#include <stdint.h>
typedef int esp_err_t;
typedef struct { int type; } esp_partition_t;
enum { ESP_OK, UART_NUM_0 = 0, ESP_PARTITION_TYPE_DATA = 1, ESP_PARTITION_SUBTYPE_ANY = 0xff, ESP_RST_SW = 3 };
#define ESP_ERROR_CHECK(x) ((void)(x))
int uart_read_bytes(int uart_num, void *buf, uint32_t length, uint32_t ticks_to_wait);
int uart_write_bytes(int uart_num, const void *src, size_t size);
esp_err_t uart_driver_install(int num, int rx, int tx, int queue_size, void *queue, int flags);
typedef uint32_t esp_partition_mmap_handle_t;
enum { ESP_PARTITION_MMAP_DATA };
esp_err_t esp_partition_mmap(const esp_partition_t *partition, size_t offset, size_t size, int memory,
                             const void **out_ptr, esp_partition_mmap_handle_t *out_handle);
esp_err_t esp_partition_write(const esp_partition_t *partition, size_t dst_offset, const void *src, size_t size);
esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size);
const esp_partition_t *esp_partition_find_first(int type, int subtype, const char *label);
int64_t esp_timer_get_time(void);
int esp_reset_reason(void);
_Noreturn void esp_restart(void);
void app_main(void);
""",
}


def test_there_is_a_sketch_for_each_system() -> None:
    assert set(SKETCHES) == set(STUBS)


@pytest.mark.parametrize("system", sorted(STUBS))
def test_a_sketch_is_a_whole_port(system: str, tmp_path: Path) -> None:
    (tmp_path / "sdk.h").write_text(STUBS[system])
    for name in re.findall(
        r"#include [<\"](zephyr/[^>\"]+|driver/[^>\"]+|esp_[^>\"]+)[>\"]", SKETCHES[system]
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "port.c").write_text(SKETCHES[system])
    made = tmp_path / "port.o"
    flags = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-include", "sdk.h"]
    command = [
        "cc",
        *flags,
        f"-I{build.SOURCE / 'core'}",
        f"-I{build.SOURCE}",
        "-I.",
        "-c",
        "port.c",
        "-o",
        made,
    ]
    subprocess.run(command, check=True, cwd=tmp_path)
    said = subprocess.run(["nm", "--defined-only", made], check=True, capture_output=True, text=True).stdout
    header = (build.SOURCE / "core/port.h").read_text(encoding="utf-8").partition("#ifdef TN_TEST_BUILD")[0]
    wanted = set(re.findall(r"\b(port_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)))
    assert len(wanted) == 12
    assert wanted <= {line.split()[-1] for line in said.splitlines()}
