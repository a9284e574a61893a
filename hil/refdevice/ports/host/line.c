/* The serial line of the host port: a pseudo-terminal, or one TCP client at a time. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "host.h"
#include "port.h"

#define IDLE_MS 1   /* how long a round waits for a byte, so that an idle device does not burn the machine */
#define SEND_MS 2000 /* for a reader who is there but slow */
#define NOBODY_MS 0 /* once nobody has read for so long */

#ifdef TN_COVERAGE
void __gcov_dump(void);
void __gcov_reset(void);
#endif

static const char taken[] = "tocsin: somebody else is on this line\r\n";

static int listener = -1; /* -1: the line is a pseudo-terminal */
static int line = -1;     /* the client, or the terminal's own end */
static int far_end = -1;  /* of the terminal: kept open, so that a client may come and go */
static bool deaf;         /* nobody reads: what is sent is lost, as on a wire */

/* Let a name stand for the terminal. What is there already and is no link is somebody's file: it stays. */
static bool put_link(const char *link, const char *name)
{
    char draft[4096];
    struct stat found;
    int length = snprintf(draft, sizeof(draft), "%s.%ld", link, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof(draft)) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (lstat(link, &found) == 0 && !S_ISLNK(found.st_mode)) {
        errno = EEXIST;
        return false;
    }
    if (symlink(name, draft) != 0) {
        return false;
    }
    if (rename(draft, link) != 0) {
        int why = errno;
        unlink(draft);
        errno = why;
        return false;
    }
    return true;
}

static bool open_pty(const char *link)
{
    struct termios how;
    const char *name;
    line = posix_openpt(O_RDWR | O_NOCTTY);
    if (line < 0 || grantpt(line) != 0 || unlockpt(line) != 0 || (name = ptsname(line)) == NULL) {
        return false;
    }
    far_end = open(name, O_RDWR | O_NOCTTY);
    if (far_end < 0 || tcgetattr(far_end, &how) != 0) {
        return false;
    }
    cfmakeraw(&how);
    if (tcsetattr(far_end, TCSANOW, &how) != 0 || fcntl(line, F_SETFL, O_NONBLOCK) != 0) {
        return false;
    }
    if (link[0] != 0 && !put_link(link, name)) {
        return false;
    }
    printf("%s\n", link[0] != 0 ? link : name);
    return true;
}

static void take_client(bool wait)
{
    int one = 1;
    int client = accept4(listener, NULL, NULL, wait ? 0 : SOCK_NONBLOCK);
    if (client < 0) {
        return;
    }
    if (line >= 0) {
        (void)!write(client, taken, sizeof(taken) - 1u);
        close(client);
        return;
    }
    line = client;
    deaf = false;
    (void)fcntl(line, F_SETFL, O_NONBLOCK);
    (void)setsockopt(line, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static bool open_tcp(const char *number)
{
    int one = 1;
    char *end;
    unsigned long port = strtoul(number, &end, 10);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    if (*number == 0 || *end != 0 || port > 65535u) {
        return false;
    }
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    printf("socket://127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    while (line < 0) { /* the first line of the boot is for somebody */
        take_client(true);
    }
    (void)fcntl(listener, F_SETFL, O_NONBLOCK);
    return true;
}

bool line_open(const char *port)
{
    bool there = false;
    errno = EINVAL; /* a port of no such kind, or number */
    if (strcmp(port, "pty") == 0) {
        there = open_pty("");
    } else if (strncmp(port, "pty:", 4) == 0 && port[4] != 0) {
        there = open_pty(port + 4);
    } else if (strncmp(port, "tcp:", 4) == 0) {
        there = open_tcp(port + 4);
    }
    fflush(stdout);
    return there;
}

void line_descriptors(char *text, unsigned room)
{
    snprintf(text, room, "%d,%d,%d", listener, line, far_end);
}

void line_take(const char *descriptors)
{
    if (sscanf(descriptors, "%d,%d,%d", &listener, &line, &far_end) != 3) {
        exit(2);
    }
}

static void hang_up(void)
{
    if (listener >= 0) {
        close(line);
        line = -1;
    }
}

static bool idle;

/* Whoever is killed writes no counts: write them whenever all that came has been done. */
static void count_branches(void)
{
#ifdef TN_COVERAGE
    if (!idle) {
        __gcov_dump();
        __gcov_reset();
    }
#endif
    idle = true;
}

uint32_t port_uart_read(uint8_t *bytes, uint32_t most)
{
    struct pollfd waits[2] = {{.fd = line, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    if (poll(waits, 2, IDLE_MS) <= 0) {
        count_branches();
        return 0;
    }
    idle = false;
    ssize_t count = 0;
    if (line >= 0 && waits[0].revents != 0) {
        count = read(line, bytes, most);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
            hang_up();
        }
        deaf = deaf && count <= 0;
    }
    if (waits[1].revents != 0) {
        take_client(false); /* who comes as the last one goes is welcome */
    }
    return count > 0 ? (uint32_t)count : 0u;
}

void port_uart_write(const uint8_t *bytes, uint32_t count)
{
    while (count > 0 && line >= 0) {
        ssize_t sent = send(line, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == ENOTSOCK) {
            sent = write(line, bytes, count);
        }
        if (sent > 0) {
            bytes += sent;
            count -= (uint32_t)sent;
            deaf = false;
        } else if (errno == EAGAIN || errno == EINTR) {
            struct pollfd wait = {.fd = line, .events = POLLOUT};
            if (poll(&wait, 1, deaf ? NOBODY_MS : SEND_MS) == 0) {
                deaf = true;
                return;
            }
        } else {
            hang_up();
            return;
        }
    }
}
