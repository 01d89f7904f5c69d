// Preloaded into an agent and its plugin hosts: each file is a GPIO chip of eight lines that are high, and an
// I2C bus whose chips hold 42 in all registers. For tests of what the plugins cost; what they read is tested
// elsewhere.
#include <errno.h>
#include <linux/gpio.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    void* const argument = va_arg(arguments, void*);
    va_end(arguments);
    switch (request) {
        case GPIO_GET_CHIPINFO_IOCTL:
            *static_cast<gpiochip_info*>(argument) = {"gpiochip0", "fake", 8};
            return 0;
        case GPIO_V2_GET_LINEINFO_IOCTL:
            return 0;
        case GPIO_V2_GET_LINE_IOCTL:
            static_cast<gpio_v2_line_request*>(argument)->fd = ::eventfd(0, EFD_CLOEXEC);
            return 0;
        case GPIO_V2_LINE_GET_VALUES_IOCTL:
            static_cast<gpio_v2_line_values*>(argument)->bits = 1;
            return 0;
        case I2C_SLAVE:
            return 0;
        case I2C_FUNCS:
            *static_cast<unsigned long*>(argument) = ~0UL;
            return 0;
        case I2C_SMBUS:
            static_cast<i2c_smbus_ioctl_data*>(argument)->data->byte = 42;
            return 0;
        default:
            return static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
    }
}
