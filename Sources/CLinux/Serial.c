// Apart from the rest: the kernel's termios2 and the C library's termios don't go into one file.
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <linux/serial.h>
#include <string.h>

int ioctl(int descriptor, unsigned long request, ...);

int linux_serial_configure(int descriptor, unsigned baud, int parity, int stop_bits) {
    struct termios2 line;
    if (ioctl(descriptor, TCGETS2, &line) != 0) return -1;
    line.c_iflag = 0;
    line.c_oflag = 0;
    line.c_lflag = 0;
    line.c_cflag = CS8 | CREAD | CLOCAL | BOTHER;
    if (parity != 0) {
        line.c_cflag |= PARENB;
        // What has the wrong parity arrives as a NUL, and fails the check of its frame.
        line.c_iflag |= INPCK;
    }
    if (parity == 1) line.c_cflag |= PARODD;
    if (stop_bits == 2) line.c_cflag |= CSTOPB;
    line.c_ispeed = baud;
    line.c_ospeed = baud;
    memset(line.c_cc, 0, sizeof line.c_cc);
    line.c_cc[VMIN] = 1;
    if (ioctl(descriptor, TCSETS2, &line) != 0) return -1;
    // A driver takes the nearest speed that it has, and says which.
    if (ioctl(descriptor, TCGETS2, &line) != 0) return -1;
    unsigned difference = line.c_ospeed > baud ? line.c_ospeed - baud : baud - line.c_ospeed;
    if (difference > baud / 50) {
        errno = EINVAL;
        return -1;
    }
    return ioctl(descriptor, TCFLSH, TCIOFLUSH);
}

int linux_serial_rs485(int descriptor, int sends_with_rts_high) {
    struct serial_rs485 mode;
    memset(&mode, 0, sizeof mode);
    mode.flags = SER_RS485_ENABLED | (sends_with_rts_high ? SER_RS485_RTS_ON_SEND : SER_RS485_RTS_AFTER_SEND);
    return ioctl(descriptor, TIOCSRS485, &mode);
}
