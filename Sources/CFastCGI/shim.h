// fcgiapp.h alone: fcgi_stdio.h would redefine printf and its kin.
#include <fcgiapp.h>
